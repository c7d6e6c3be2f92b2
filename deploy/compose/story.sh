#!/usr/bin/env bash
# Sends requests of which each makes a trace worth a look, and prints where that is:
#
#   docker compose up --build --detach --wait
#   bash deploy/compose/story.sh
#
# SPANGATE and JAEGER are the addresses, if they are others than compose.yaml's. Of
# what is there the story wants: two applications that answer as echo:NAME does, the
# cookie of BALANCER_STICKY_COOKIE, X-Trace-Id on answers, RATE_LIMIT by X-Client,
# OUTLIER_EJECTION of less than a minute, and the service name spangate.
set -euo pipefail

spangate=${SPANGATE:-http://localhost:8080}
jaeger=${JAEGER:-http://localhost:16686}
began=$(date +%s)

# answered reads what curl --include printed of one answer: its status, the
# application that it is from, the cookie of that and the id of the trace, which the
# proxy's own refusals have in their body.
answered() {
    status='' application='' trace=''
    if [[ $1 =~ ^HTTP/[0-9.]+\ ([0-9]+) ]]; then status=${BASH_REMATCH[1]}; fi
    local backend='"backend": "([^"]+)"' id='([Xx]-[Tt]race-[Ii]d: |"trace_id":")([0-9a-f]{32})'
    local set_cookie='[Ss]et-[Cc]ookie: ([^;]+)'
    if [[ $1 =~ $backend ]]; then application=${BASH_REMATCH[1]}; fi
    if [[ $1 =~ $id ]]; then trace=${BASH_REMATCH[2]}; fi
    if [[ $1 =~ $set_cookie ]]; then cookie=${BASH_REMATCH[1]}; fi
}

# ask makes a request, as a client of the chapter's own: the limit is for another one.
ask() { # path and query, flags of curl
    local path=$1
    shift
    answered "$(curl --silent --show-error --include --max-time 30 --header "X-Client: $chapter" "$@" "$spangate$path")"
    if [[ -z $status || -z $trace ]]; then
        echo "$spangate$path: no answer of a traced Spangate (status ${status:-none}, trace ${trace:-none})" >&2
        exit 1
    fi
}

# tell prints one line of the story.
tell() { # what there is to see
    printf '%-9s %s/trace/%s  %s\n' "$chapter" "$jaeger" "$trace" "$1"
}

# change prints the trace in which Jaeger has the last change to a state. It comes a
# moment later than the answers do.
change() { # state, what there is to see
    local found id='"traceID":"([0-9a-f]+)"'
    for _ in {1..20}; do
        found=$(curl --silent --get "$jaeger/api/traces" --data-urlencode service=spangate \
            --data-urlencode operation=backend_state_change --data-urlencode "tags={\"spangate.backend.state\":\"$1\"}" \
            --data-urlencode "start=${began}000000" --data-urlencode limit=1) || break
        if [[ $found =~ $id ]]; then
            trace=${BASH_REMATCH[1]}
            tell "$2"
            return
        fi
        sleep 0.5
    done
    printf '%-9s %s/search?service=spangate&operation=backend_state_change  %s\n' "$chapter" "$jaeger" "$2"
}

chapter=success
for _ in 1 2; do
    cookie=
    ask /story/success
    tell "$application answers, and its own spans are in the trace"
done
# From here on it is this application that has the trouble.
bad=$application
stay=(--cookie "$cookie")

chapter=retry
ask "/story/retry?status=503&at=$bad" "${stay[@]}"
tell "$bad answers 503, and $application the second attempt"

chapter=slow
ask "/story/slow?delay=2s" "${stay[@]}"
tell "$application takes two seconds"

chapter=failure
ask "/story/failure?status=503" "${stay[@]}"
tell "nobody has anything better than $status, after all attempts"

# A burst is as much as the limit of a second. It takes more than that within one,
# however long a request takes here.
chapter=limited
for _ in {1..20}; do
    burst=$(curl --silent --show-error --include --header "X-Client: $chapter" "$spangate/story/limited?n=[1-40]")
    refused='HTTP/[0-9.]+ 429'
    if [[ $burst =~ $refused ]]; then
        answered "${BASH_REMATCH[0]}${burst#*"${BASH_REMATCH[0]}"}"
        tell "one client has had its share, and is told when to come again"
        break
    fi
done

# As many failures in a row as it takes, then who holds its cookie is answered by the
# other one.
chapter=ejected
for failures in 3 5 10; do
    for ((i = 0; i < failures; i++)); do ask "/story/failing?status=503&at=$bad" "${stay[@]}"; done
    ask /story/ejected "${stay[@]}"
    if [[ $application != "$bad" ]]; then break; fi
done
tell "$application answers those who were with $bad"
change ejected "$bad is left out, for the attempts that are linked there"

chapter=back
for _ in {1..60}; do
    ask /story/back "${stay[@]}"
    if [[ $application == "$bad" ]]; then break; fi
    sleep 1
done
tell "$bad serves again"
change ready "the moment from which on it could"
