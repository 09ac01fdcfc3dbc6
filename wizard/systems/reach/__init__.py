"""How this machine reaches a server over HTTP: proxy, certificates, limits; one place for all."""
