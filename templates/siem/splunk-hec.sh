#!/bin/sh
# Splunk's HTTP Event Collector, from cron: what is new goes into a file, and that to Splunk until it
# took it. $HEC/curl.conf (mode 600) has: header = "Authorization: Splunk TOKEN"
set -eu
: "${HEC:=/var/lib/langsmith-audit/hec}" "${HEC_URL:=https://splunk.example.com:8088}"
langsmith-audit events --state "$HEC/state" -o ndjson --envelope hec > "$HEC/$(date +%s).$$.ndjson"
for file in "$HEC"/*.ndjson; do
    test ! -s "$file" || curl -sS --fail --output /dev/null --config "$HEC/curl.conf" \
        --data-binary "@$file" "$HEC_URL/services/collector/event"
    rm "$file"
done
