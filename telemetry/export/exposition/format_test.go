package exposition

import "testing"

func TestNegotiate(t *testing.T) {
	const prometheus3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
	for accept, want := range map[string]Format{
		"":                 Text004,
		"*/*":              Text004,
		"text/*":           Text004,
		"text/plain":       Text004,
		"application/*":    OpenMetrics100,
		"application/json": Text004,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": Text004,
		"application/openmetrics-text":                                    OpenMetrics100,
		"Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=1":            OpenMetrics100,
		"application/openmetrics-text;version=0.0.1":                      OpenMetrics001,
		"application/openmetrics-text;version=2.0.0":                      Text004,
		"text/plain;version=1.0.0":                                        Text100,
		prometheus3:                                                       OpenMetrics100,
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," + prometheus3: OpenMetrics100,
		"application/openmetrics-text;q=0.5,text/plain;q=0.9":                                                             Text004,
		"application/openmetrics-text;q=0.901,text/plain;q=0.9":                                                           OpenMetrics100,
		"application/openmetrics-text,text/plain":                                                                         OpenMetrics100,
		"text/plain,application/openmetrics-text":                                                                         Text004,
		"application/openmetrics-text;q=0,*/*;q=0.1":                                                                      Text004,
		"text/plain;q=0,*/*":                                          OpenMetrics100,
		"*/*,text/plain;q=0":                                          OpenMetrics100,
		"application/openmetrics-text;q=0":                            Text004,
		"application/openmetrics-text;q=2":                            Text004,
		"application/openmetrics-text;q=-1":                           Text004,
		"application/openmetrics-text;q=0.0001":                       Text004,
		"application/openmetrics-text;q=x,text/plain":                 Text004,
		`application/openmetrics-text;a=",;q=0";q=0.7`:                OpenMetrics100,
		`text/plain;q=0.1;a="\",",application/openmetrics-text;q=0.2`: OpenMetrics100,
		" , ;q=1,,application/openmetrics-text ; q=0.5 ":              OpenMetrics100,
		`"application/openmetrics-text`:                               Text004,
		`application/openmetrics-text;a="\`:                           OpenMetrics100,
	} {
		if got := Negotiate(accept); got != want {
			t.Errorf("%s: %s, want %s", accept, got.ContentType(), want.ContentType())
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "deflate, gzip;q=0.5": true, "gzip;q=0": false, "gzip;q=0.000": false,
		"*": true, "*;q=0": false, "gzip;q=0, *": false, "*;q=0, gzip": true, "identity": false, "br": false, "gzip;q=zero": false,
	} {
		if got := AcceptsGzip(accept); got != want {
			t.Errorf("%q: %v, want %v", accept, got, want)
		}
	}
}

// What is asked for can be any text, of which nothing but what is of the field's form counts.
func FuzzNegotiate(f *testing.F) {
	f.Add("text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
	f.Add(`application/openmetrics-text;a="\",;";q=1.000`)
	f.Add(`a;q="`)
	f.Fuzz(func(t *testing.T, accept string) {
		if chosen := Negotiate(accept); chosen < Text004 || chosen > OpenMetrics001 {
			t.Errorf("there is no format %d", chosen)
		}
		for _, r := range parse(accept) {
			if r.weight < 0 || r.weight > 1000 || r.kind == "" || len(r.kind) > len(accept) {
				t.Errorf("%+v", r)
			}
		}
		AcceptsGzip(accept)
	})
}
