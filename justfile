set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments
set ignore-comments

# The binary as it is shipped: without cgo it runs in an empty image.
export CGO_ENABLED := "0"
build := "go build -trimpath"
stripped := '-ldflags="-s -w"'

# What staticcheck looks for, picked one by one:
#   SA*     wrong or useless code: misused APIs, impossible conditions, leaks
#   S1*     code that a shorter form of the language says better
#   U1000   code that nobody uses
#   ST1000  each package says what question it answers
#   ST1001  no dot imports: a reader must see where a name is from
#   ST1005  error texts can be wrapped: no capital, no full stop
#   ST1006  receivers are named after what they are, not self or this
#   ST1008  an error is the last result
#   ST1011  a time.Duration carries no unit in its name
#   ST1012  error variables are called errX or ErrX
#   ST1013  HTTP statuses are constants, not numbers
#   ST1015  default comes first or last in a switch
#   ST1016  one receiver name for one type
#   ST1017  no yoda conditions
#   ST1018  no invisible characters in strings
#   ST1019  no package imported twice
#   ST1020, ST1021, ST1022  a doc comment begins with the name it documents
# Left out: ST1003 (its list of initialisms dates), ST1023 (a type that could be
# inferred is sometimes the documentation) and QF*, which are an editor's offers.
checks := "SA*,S1*,U1000,ST1000,ST1001,ST1005,ST1006,ST1008,ST1011,ST1012,ST1013,ST1015,ST1016,ST1017,ST1018,ST1019,ST1020,ST1021,ST1022"

[private]
list:
    @just --list --unsorted

# run the proxy from source: BACKENDS=http://localhost:3000 just run
run *args:
    go run . "$@"

# run it before two built-in backends, ready for: curl localhost:8080/hello
demo:
    BACKENDS=echo:a,echo:b go run .

# everything that must pass: lint, then all tests, raced and shuffled
test *args: lint
    # The race detector needs cgo. Vet has had its turn in lint.
    CGO_ENABLED=1 go test -race -shuffle=on -vet=off "$@" ./...
    # What the detector would have a share in.
    go test -p 1 -run='^TestAllocations' -vet=off . ./handler/route ./telemetry/... ./handler/wire/...

# format, vet, staticcheck, nilness, deadcode and fix, none of which changes a file
lint:
    @unformatted=$(gofmt -l .); test -z "$unformatted" || { printf 'run gofmt -w on:\n%s\n' "$unformatted"; exit 1; }
    # All of vet, of which go test runs only a part. It knows the language's traps:
    # copied locks, lost cancels, formats that do not match.
    go vet ./...
    go tool staticcheck -checks '{{checks}}' ./...
    # Nil followed through branches, which staticcheck follows less far.
    go tool nilness ./...
    # Code that the program does not reach, and then what no test of it does either.
    @dead=$(go tool deadcode . && go tool deadcode -test ./...); test -z "$dead" || { echo "$dead"; exit 1; }
    # Also with the files that are for other systems, which it reads without compiling
    # them. Tests of the whole program need a Unix, without which more would be dead.
    @GOOS=windows "$(go tool -n deadcode)" ./... >/dev/null
    @deadcode=$(go tool -n deadcode); dead=$(GOOS=darwin "$deadcode" -test ./... && GOOS=freebsd "$deadcode" -test ./...); test -z "$dead" || { echo "$dead"; exit 1; }
    # What this Go says with fewer words than the one it was written for.
    go fix -diff ./...

# the proxy as a process, with a real Redis, collector, browser and npm clients, and its manifests; takes flags of go test
e2e *args:
    go vet -tags e2e ./policy/redis
    go tool staticcheck -tags e2e -checks '{{checks}}' ./policy/redis
    # The package's other tests that count run longer here than in just test.
    go test -tags e2e -count=1 -timeout=8m "$@" ./policy/redis -run-for=10s
    {{just_executable()}} nested telemetry/e2e "$@"
    {{just_executable()}} nested telemetry/export/otlp/stock "$@"
    {{just_executable()}} nested handler/clients "$@"
    {{just_executable()}} nested handler/wire/bench "$@"
    {{just_executable()}} nested deploy/schema "$@"

# What must pass in a module of its own, which go's ./... leaves out.
[private]
nested module *args:
    staticcheck=$(go tool -n staticcheck) && cd "$1" && go vet ./... && "$staticcheck" -checks '{{checks}}' ./...
    cd "$1" && go test -count=1 -timeout=15m "${@:2}" ./...

# a package published to a Verdaccio behind the proxy, and installed from it; takes flags of go test
registry *args:
    cd handler/clients && go vet -tags registry . && go test -tags registry -count=1 -timeout=8m -run='^TestRegistry$' "$@" .

# the same scenarios, and compose.yaml's story, before a real Jaeger, whose first build takes minutes; takes flags of go test
jaeger *args:
    staticcheck=$(go tool -n staticcheck) && cd telemetry/e2e && go vet -tags jaeger . && "$staticcheck" -tags jaeger -checks '{{checks}}' .
    cd telemetry/e2e && go test -tags jaeger -count=1 -timeout=30m -run='^TestJaeger' "$@" .

# the dashboard and the alerts, asked of a real Prometheus, and compose.yaml's services as processes; takes flags of go test
prometheus *args:
    staticcheck=$(go tool -n staticcheck) && cd telemetry/e2e && go vet -tags prometheus . && "$staticcheck" -tags prometheus -checks '{{checks}}' .
    cd telemetry/e2e && go test -tags prometheus -count=1 -timeout=15m -run='^Test(Prometheus|Compose|AlertRules|DashboardSchema)$' "$@" .

# the suites of Connect, gRPC and HTTP/2 through the proxy; takes flags of go test, of which -short leaves out most of them
conformance *args:
    staticcheck=$(go tool -n staticcheck) && cd handler/wire/conformance && go vet . && "$staticcheck" -checks '{{checks}}' .
    # Here and not in ./..., so that go test shows how many passed.
    cd handler/wire/conformance && go test -count=1 -timeout=30m "$@"

# certificates got from, and kept in spite of, Let's Encrypt's Pebble; takes flags of go test
acme *args:
    {{just_executable()}} nested handler/acme/pebble -parallel=16 "$@"

# backends killed, stopped and broken under traffic; takes flags of go test
chaos *args:
    go vet -tags chaos ./balancer/chaos
    go test -tags chaos -count=1 -timeout=5m "$@" ./balancer/chaos

# floods, stalls and drips on the listening port, and what each costs; takes flags of go test, -short for the fast ones
abuse *args:
    {{just_executable()}} nested handler/wire/abuse -v "$@"

# 100,000 requests of all sizes, framings and paces, to backends that break off: whether each comes out as it went in; takes flags of go test, -short for few, and -requests, -seed
integrity *args:
    {{just_executable()}} nested handler/wire/integrity -v "$@"

# every fuzz target of some packages, each for a while: just fuzz 1m ./handler/wire/http1
fuzz time="10s" packages="./...":
    #!/usr/bin/env bash
    set -euo pipefail
    for package in $(go list {{packages}}); do
        for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
            go test -run='^$' -fuzz="^$target\$" -fuzztime={{time}} -fuzzminimizetime=1x "$package"
        done
    done

# what a request costs, as ratios to nginx, beside HAProxy, Caddy and the standard library's proxy; -quick is its first table alone
bench *args:
    cd handler/wire/bench && go run . "$@"

# all benchmarks of parts of it; takes flags of go test
benchmarks *args:
    go test -run='^$' -bench=. -benchmem "$@" ./...

# what clients wait for a collector with a fault, compared with a healthy one; takes flags of go test
hostile *args:
    cd telemetry/e2e && go test -run='^$' -bench='^BenchmarkHostileCollector$' -benchtime=10000x -timeout=30m "$@" .

# the static binary, ./spangate
build:
    {{build}} {{stripped}} -o spangate .

# what the dependencies weigh: the stripped binary, and its code by module and by package
weight rows="15":
    #!/usr/bin/env bash
    set -euo pipefail
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    {{build}} {{stripped}} -o "$dir/stripped" .
    {{build}} -o "$dir/symbols" .
    printf '%s bytes stripped\n' "$(wc -c <"$dir/stripped")"

    # A symbol is its package's path, a dot and a name; types and type arguments,
    # which hold paths of their own, come after the first bracket.
    go tool nm -size -type "$dir/symbols" | awk '
        $3 != "T" && $3 != "t" { next }
        {
            name = $4
            sub(/^type:\.(eq|hash)\./, "", name)
            sub(/[[({].*/, "", name)
            gsub(/%2e/, ".", name)
            path = ""
            if (match(name, /.*\//)) { path = substr(name, 1, RLENGTH); name = substr(name, RLENGTH + 1) }
            sub(/\..*/, "", name)
            size[path name] += $2
        }
        END { for (p in size) print size[p], p }' >"$dir/packages"
    go version -m "$dir/symbols" | awk '$1 == "mod" { print $2 } $1 == "dep" { print $2, $3 }' >"$dir/modules"
    awk '
        NR == FNR { version[$1] = $2; next }
        {
            module = $2
            while (!(module in version) && sub(/\/[^\/]*$/, "", module)) {}
            if ($2 == "main") module = "spangate"
            if (!(module in version)) module = "(standard library)"
            size[module] += $1
        }
        END { for (m in size) print size[m], m, version[m] }' "$dir/modules" "$dir/packages" >"$dir/by-module"
    for table in by-module packages; do
        printf '\n%12s  %s\n' 'code, bytes' "$table"
        sort -rn "$dir/$table" | awk -v rows={{rows}} 'NR <= rows { printf "%12d  %s%s\n", $1, $2, ($3 ? " " $3 : "") }'
    done

# the container image, with docker or podman, which says the version and commit that git knows
image tag="spangate" *args:
    #!/usr/bin/env bash
    set -euo pipefail
    engine=$({{just_executable()}} engine)
    # The image is of the commit's time, so that a second one is the same: docker reads it here.
    export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
    [[ $engine == docker ]] || set -- "$@" --timestamp="$SOURCE_DATE_EPOCH"
    "$engine" build -f Containerfile -t "{{tag}}" \
        --build-arg VERSION="$(git describe --tags --always --dirty)" --build-arg REVISION="$(git rev-parse HEAD)" \
        --build-arg CREATED="$(git log -1 --format=%cI)" "${@:2}" .

# the image built twice for each architecture, and run with podman, read-only and without capabilities; takes flags of go test
image-test *args:
    go vet -tags image ./deploy
    go test -tags image -count=1 -timeout=30m -run='^TestImage$' -v "$@" ./deploy

# proxy, applications, collector and Jaeger, and what profiles add: just up metrics scale tls
up *profiles:
    #!/usr/bin/env bash
    set -euo pipefail
    engine=$({{just_executable()}} engine)
    "$engine" compose "${@/#/--profile=}" up --build --detach --wait
    echo
    for part in proxy "$@"; do
        case $part in
            proxy)
                echo 'http://localhost:8080    the proxy; the X-Trace-Id of each answer is a trace'
                echo 'http://localhost:16686   Jaeger, where it is'
                ;;
            metrics)
                echo 'http://localhost:3000    Grafana, with the dashboard'
                echo 'http://localhost:9090    Prometheus, with the alerts'
                ;;
            scale) echo 'http://localhost:8081    and http://localhost:8082 let in 20 requests a minute together' ;;
            tls) echo 'https://localhost:8443   the proxy with a certificate of its own: curl -k' ;;
        esac
    done
    printf '\njust story makes traffic worth looking at, just logs shows what they write, just down ends them\n'

# requests that make traces worth looking at, and where in Jaeger each is
story:
    @bash deploy/compose/story.sh

# what the services of just up write; takes their names
logs *services:
    engine=$({{just_executable()}} engine) && "$engine" compose --profile='*' logs --follow "$@"

# ends all services of just up, and forgets what they have kept
down:
    engine=$({{just_executable()}} engine) && "$engine" compose --profile='*' down --volumes

# podman's own format has no room for a health check
export BUILDAH_FORMAT := "docker"

# The first of the two whose engine answers: a client alone can build nothing.
[private]
engine:
    @for e in docker podman; do "$e" info >/dev/null 2>&1 && { echo "$e"; exit; }; done; echo 'neither docker nor podman answers' >&2; exit 1
