package config

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"
)

// settings is a configuration with a field of every kind.
type settings struct {
	Attempts int        `env:"RETRY_ATTEMPTS" envDefault:"2" min:"0" doc:"further attempts"`
	Front    timeouts   // two structs have a field of that name
	Back     timeouts   `envPrefix:"BACKEND_"`
	Host     string     `env:"HOST" doc:"address to listen on"`
	Port     uint16     `env:"PORT" envDefault:"8080" doc:"port to listen on"`
	Names    []string   `env:"NAMES" doc:"comma list of names"`
	Even     even       `env:"EVEN" doc:"comma list of even numbers"`
	Buffer   kilobytes  `env:"BUFFER_SIZE" envDefault:"64k" min:"1k" doc:"a size such as 64k"`
	Level    slog.Level `env:"LOG_LEVEL" envDefault:"info" doc:"debug|info|warn|error"`
	Disabled bool       `env:"DISABLED" envDefault:"false" doc:"true does nothing"`
	Token    token      `env:"TOKEN" secret:"true" doc:"name:key"`
	Platform Platform   `env:"PLATFORM" envDefault:"auto" doc:"where it runs"`
	Trusted  string     `env:"TRUSTED_PROXIES" envDefault:"auto" auto:"none" doc:"whom to believe"`

	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"10s" min:"100ms" doc:"from signal to exit"`
	ShutdownDelay   time.Duration `env:"SHUTDOWN_DELAY" envDefault:"0s" min:"0" doc:"how long to go on"`

	AdminPort string `env:"ADMIN_PORT" doc:"text, so that it takes any"`

	Version string `env:"-"`
	_       string `env:"UNEXPORTED"`
}

type timeouts struct {
	Idle time.Duration `env:"IDLE_TIMEOUT" envDefault:"90s" min:"1ms" doc:"how long an idle connection is kept"`
}

// kilobytes is a number of bytes that parses itself.
type kilobytes int64

func (k *kilobytes) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(strings.TrimSuffix(string(text), "k"), 10, 32)
	if err != nil {
		return errors.New("must be kilobytes, such as 64k")
	}
	*k = kilobytes(n << 10)
	return nil
}

// even takes a comma list of numbers without odd ones.
type even string

func (e *even) UnmarshalText(text []byte) error {
	var wrong []error
	for item := range strings.SplitSeq(string(text), ",") {
		if n, err := strconv.Atoi(item); err != nil || n%2 != 0 {
			wrong = append(wrong, fmt.Errorf("%s is not even", item))
		}
	}
	*e = even(text)
	return errors.Join(wrong...)
}

// token is a secret whose errors tell it.
type token string

func (t *token) UnmarshalText(text []byte) error {
	if !strings.Contains(string(text), ":") {
		return fmt.Errorf("%q has no name", text)
	}
	*t = token(text)
	return nil
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestLoadNamesAllFaults(t *testing.T) {
	for name, test := range map[string]struct {
		environ []string
		want    []string
	}{
		"none": {},
		"several at once": {
			environ: []string{"PORT=70000", "IDLE_TIMEOUT=10", "RETRY_ATTEMPTS=some"},
			want: []string{
				`RETRY_ATTEMPTS="some": must be a whole number`,
				`IDLE_TIMEOUT="10": must be a duration such as 500ms, 10s or 1m30s`,
				`PORT="70000": must be a whole number from 0 to 65535`,
			},
		},
		"same field of two structs": {
			environ: []string{"BACKEND_IDLE_TIMEOUT=x", "IDLE_TIMEOUT=y"},
			want: []string{
				`IDLE_TIMEOUT="y": must be a duration such as 500ms, 10s or 1m30s`,
				`BACKEND_IDLE_TIMEOUT="x": must be a duration such as 500ms, 10s or 1m30s`,
			},
		},
		"empty is not set": {environ: []string{"PORT=", "RETRY_ATTEMPTS=", "RETRY_ATEMPTS="}},
		"not a level": {
			environ: []string{"LOG_LEVEL=loud"},
			want:    []string{`LOG_LEVEL="loud": must be debug, info, warn or error`},
		},
		"not a bool": {
			environ: []string{"DISABLED=perhaps"},
			want:    []string{`DISABLED="perhaps": must be true or false`},
		},
		"out of range": {
			environ: []string{"RETRY_ATTEMPTS=9223372036854775808"},
			want:    []string{`RETRY_ATTEMPTS="9223372036854775808": is out of range`},
		},
		"a type's own reason": {
			environ: []string{"BUFFER_SIZE=64Q"},
			want:    []string{`BUFFER_SIZE="64Q": must be kilobytes, such as 64k`},
		},
		"several reasons": {
			environ: []string{"EVEN=1,2,//a:b@3"},
			want:    []string{"EVEN: 1 is not even", "EVEN: //***@3 is not even"},
		},
		"a lone one of several": {
			environ: []string{"EVEN=1,2"},
			want:    []string{`EVEN="1,2": 1 is not even`},
		},
		"quotes that nobody took off": {
			environ: []string{`PORT="80"`, "RETRY_ATTEMPTS='2'", `TOKEN="name:s3cret"`, `HOST="a"`, `BUFFER_SIZE="`},
			want: []string{
				"RETRY_ATTEMPTS=\"'2'\": leave out the quotes around it, which are a part of the value here",
				`HOST="\"a\"": leave out the quotes around it, which are a part of the value here`,
				`PORT="\"80\"": leave out the quotes around it, which are a part of the value here`,
				`BUFFER_SIZE="\"": must be kilobytes, such as 64k`,
				"TOKEN: leave out the quotes around it, which are a part of the value here",
			},
		},
		"negative": {
			environ: []string{"RETRY_ATTEMPTS=-1", "SHUTDOWN_DELAY=-1s"},
			want: []string{
				`RETRY_ATTEMPTS="-1": must be at least 0`,
				`SHUTDOWN_DELAY="-1s": must be at least 0`,
			},
		},
		"below the least": {
			environ: []string{"BACKEND_IDLE_TIMEOUT=1us", "BUFFER_SIZE=0k"},
			want: []string{
				`BACKEND_IDLE_TIMEOUT="1us": must be at least 1ms`,
				`BUFFER_SIZE="0k": must be at least 1k`,
			},
		},
		"a platform that is none": {
			environ: []string{"PLATFORM=heroku"},
			want:    []string{`PLATFORM="heroku": must be auto, fly, azure, ecs, kubernetes, cloudrun or none`},
		},
		"a secret's value stays secret": {
			environ: []string{"TOKEN=s3cret"},
			want:    []string{"TOKEN: malformed; expected: name:key"},
		},
		"credentials stay secret": {
			environ: []string{"PORT=http://me:s3cret@a"},
			want:    []string{`PORT="http://***@a": must be a whole number from 0 to 65535`},
		},
		"line breaks do not break the line": {
			environ: []string{"PORT=80\n80", "RETRY_ATTEMPT\n=1"},
			want: []string{
				`PORT="80\n80": must be a whole number from 0 to 65535`,
				"RETRY_ATTEMPT\uFFFD: unknown; did you mean RETRY_ATTEMPTS?",
			},
		},
		"a warning goes with the faults": {
			environ: []string{"LOG_LEVLE=debug", "PORT=x"},
			want: []string{
				`PORT="x": must be a whole number from 0 to 65535`,
				"LOG_LEVLE: unknown; did you mean LOG_LEVEL?",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Load(&settings{}, test.environ)
			if diff := cmp.Diff(test.want, lines(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChecks(t *testing.T) {
	for name, test := range map[string]struct {
		environ []string
		reason  error
		want    []string
	}{
		"nothing wrong":       {},
		"one":                 {reason: errors.New("PORT: taken"), want: []string{"PORT: taken"}},
		"several, and nested": {reason: errors.Join(errors.New("A: x"), errors.Join(errors.New("B: y"), errors.New("C: z"))), want: []string{"A: x", "B: y", "C: z"}},
		"a line each":         {reason: errors.New("A: x\ny"), want: []string{"A: x\uFFFDy"}},
		"no credentials":      {reason: errors.New("A: http://me:s3cret@a"), want: []string{"A: http://***@a"}},
		"after the variables, before what is unknown": {
			environ: []string{"PORT=x", "RETRY_ATEMPTS=2", "LOG_LEVLE=x"},
			reason:  errors.New("A: x"),
			want: []string{
				`PORT="x": must be a whole number from 0 to 65535`,
				"A: x",
				"RETRY_ATEMPTS: unknown; did you mean RETRY_ATTEMPTS?",
				"LOG_LEVLE: unknown; did you mean LOG_LEVEL?",
			},
		},
		"a warning goes with it": {
			environ: []string{"LOG_LEVLE=x"}, reason: errors.New("A: x"),
			want: []string{"A: x", "LOG_LEVLE: unknown; did you mean LOG_LEVEL?"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var cfg settings
			check := func() error {
				if cfg.Attempts != 2 {
					t.Error("asked before the configuration is set")
				}
				return test.reason
			}
			_, _, err := Load(&cfg, test.environ, check)
			if diff := cmp.Diff(test.want, lines(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadKeepsWhatIsRight(t *testing.T) {
	var cfg settings
	if _, _, err := Load(&cfg, []string{"PORT=x", "HOST=a"}); err == nil || cfg.Host != "a" || cfg.Attempts != 2 {
		t.Errorf("beside the fault %v the configuration is %+v", err, cfg)
	}
}

// What is looked for beside package env's way of reading a struct must not
// change what it reads.
func TestLoadAgreesWithEnv(t *testing.T) {
	given := []string{
		"RETRY_ATTEMPTS=0", "BACKEND_IDLE_TIMEOUT=0.5s", "HOST=a", "NAMES=a,b", "BUFFER_SIZE=2k", "LOG_LEVEL=WARN",
		"DISABLED=true", "TOKEN=a:b", "PLATFORM=none", "TRUSTED_PROXIES=::1",
	}
	var got, want settings
	if _, _, err := Load(&got, given); err != nil {
		t.Fatal(err)
	}
	if err := env.ParseWithOptions(&want, env.Options{Environment: env.ToMap(given)}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("Load gives\n%+v\nenv gives\n%+v", got, want)
	}
}

// Nor must what reads the tags in its place.
func TestTagsAgreeWithEnv(t *testing.T) {
	for _, v := range Variables(&settings{}) {
		for _, text := range []string{v.Default, v.Min(), v.tag.Get("max"), v.auto()} {
			if text == "" {
				continue
			}
			want, err := v.parse(text)
			if got := v.own(text); err != nil || !reflect.DeepEqual(want.Interface(), got.Interface()) {
				t.Errorf("%s: %q is read as %v, want %v, %v", v.Name, text, got, want, err)
			}
		}
	}
}

func TestRequired(t *testing.T) {
	var cfg struct {
		Backends string `env:"BACKENDS,required" example:"http://a:3000" doc:"whom to forward to"`
		Name     string `env:"NAME,required" doc:"what to be called"`
	}
	want := []string{"BACKENDS: required, e.g. http://a:3000", "NAME: required: what to be called"}
	for name, environ := range map[string][]string{"not set": nil, "empty": {"BACKENDS=", "NAME="}} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Load(&cfg, environ)
			if diff := cmp.Diff(want, lines(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	file, marked := write(t, "a:b\r\n"), write(t, "\ufeffa:b\n")
	for name, test := range map[string]struct {
		environ            []string
		variable           string
		wantText, wantFrom string
	}{
		"set":                             {[]string{"PORT=1"}, "PORT", "1", "set"},
		"set with the end of a line":      {[]string{"PORT=1\r\n"}, "PORT", "1", "set"},
		"the end of a line alone":         {[]string{"PORT=\n"}, "PORT", "8080", "default"},
		"set to the default":              {[]string{"PORT=8080"}, "PORT", "8080", "set"},
		"default":                         {nil, "PORT", "8080", "default"},
		"empty":                           {[]string{"PORT="}, "PORT", "8080", "default"},
		"no default":                      {nil, "HOST", "", "default"},
		"a neighbour's":                   {[]string{"ADMIN_PORT=tcp://10.0.0.1:80"}, "ADMIN_PORT", "", "default"},
		"secret set":                      {[]string{"TOKEN=a:b"}, "TOKEN", "a:b", "set"},
		"secret in a file":                {[]string{"TOKEN_FILE=" + file}, "TOKEN", "a:b", "file"},
		"secret behind a mark":            {[]string{"TOKEN_FILE=" + marked}, "TOKEN", "a:b", "file"},
		"secret empty, and a file":        {[]string{"TOKEN=", "TOKEN_FILE=" + file}, "TOKEN", "a:b", "file"},
		"nowhere":                         {nil, "PLATFORM", "none", "platform"},
		"auto":                            {[]string{"PLATFORM=auto"}, "PLATFORM", "none", "platform"},
		"platform named":                  {[]string{"PLATFORM=fly"}, "PLATFORM", "fly", "set"},
		"its default":                     {[]string{"PLATFORM=fly"}, "SHUTDOWN_TIMEOUT", "4500ms", "platform"},
		"its mark does not count":         {[]string{"PLATFORM=none", "K_SERVICE=x"}, "SHUTDOWN_TIMEOUT", "10s", "default"},
		"set goes first":                  {[]string{"FLY_APP_NAME=x", "SHUTDOWN_TIMEOUT=1s"}, "SHUTDOWN_TIMEOUT", "1s", "set"},
		"fly":                             {[]string{"FLY_APP_NAME=x"}, "SHUTDOWN_TIMEOUT", "4500ms", "platform"},
		"azure":                           {[]string{"CONTAINER_APP_NAME=x", "KUBERNETES_SERVICE_HOST=x"}, "PLATFORM", "azure", "platform"},
		"ecs":                             {[]string{"ECS_CONTAINER_METADATA_URI_V4=x"}, "PLATFORM", "ecs", "platform"},
		"kubernetes":                      {[]string{"KUBERNETES_SERVICE_HOST=x"}, "SHUTDOWN_DELAY", "5s", "platform"},
		"its delay, in a short timeout":   {[]string{"PLATFORM=kubernetes", "SHUTDOWN_TIMEOUT=3s"}, "SHUTDOWN_DELAY", "600ms", "platform"},
		"its delay, in a long timeout":    {[]string{"PLATFORM=kubernetes", "SHUTDOWN_TIMEOUT=1m"}, "SHUTDOWN_DELAY", "5s", "platform"},
		"a delay of one's own is kept":    {[]string{"PLATFORM=kubernetes", "SHUTDOWN_TIMEOUT=3s", "SHUTDOWN_DELAY=2s"}, "SHUTDOWN_DELAY", "2s", "set"},
		"no delay, whatever the timeout":  {[]string{"PLATFORM=fly", "SHUTDOWN_TIMEOUT=1s"}, "SHUTDOWN_DELAY", "0s", "default"},
		"knative":                         {[]string{"KUBERNETES_SERVICE_HOST=x", "K_SERVICE=x"}, "PLATFORM", "kubernetes", "platform"},
		"what auto stands for":            {nil, "TRUSTED_PROXIES", "none", "default"},
		"auto, asked for":                 {[]string{"TRUSTED_PROXIES=auto"}, "TRUSTED_PROXIES", "none", "default"},
		"auto, by the platform":           {[]string{"PLATFORM=cloudrun"}, "TRUSTED_PROXIES", "169.254.0.0/16", "platform"},
		"auto, asked for, by it":          {[]string{"K_SERVICE=x", "TRUSTED_PROXIES=auto"}, "TRUSTED_PROXIES", "169.254.0.0/16", "platform"},
		"not auto, whatever the platform": {[]string{"K_SERVICE=x", "TRUSTED_PROXIES=none"}, "TRUSTED_PROXIES", "none", "set"},
		"auto, where it is none":          {[]string{"FLY_APP_NAME=x"}, "TRUSTED_PROXIES", "none", "default"},
		"auto, of one without it":         {[]string{"HOST=auto"}, "HOST", "auto", "set"},
		"cloudrun":                        {[]string{"K_SERVICE=x"}, "SHUTDOWN_TIMEOUT", "9s", "platform"},
	} {
		t.Run(name, func(t *testing.T) {
			variables, _, err := Load(&settings{}, test.environ)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(variables, func(v *Variable) bool { return v.Name == test.variable })
			if got := variables[i]; got.text != test.wantText || got.Origin != test.wantFrom {
				t.Errorf("%s is %q (%s), want %q (%s)", got.Name, got.text, got.Origin, test.wantText, test.wantFrom)
			}
		})
	}
}
