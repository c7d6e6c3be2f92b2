package console

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// unwritten are fields that this program never writes.
var unwritten = map[protoreflect.FullName]bool{
	"opentelemetry.proto.resource.v1.Resource.entity_refs":         true,
	"opentelemetry.proto.common.v1.KeyValue.key_strindex":          true,
	"opentelemetry.proto.common.v1.AnyValue.string_value_strindex": true,
}

const hostile = "a\"b\\c\n\t\r\x00\x1b[31m\u202e\u2028\u0085\U000e0041<&>ü日"

// fill sets each field of m, of a oneof the one that is the n-th of them, and messages
// to a depth where they hold themselves.
func fill(m protoreflect.Message, n, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		oneof := f.ContainingOneof()
		if unwritten[f.FullName()] || depth == 0 && f.Message() != nil ||
			oneof != nil && !oneof.IsSynthetic() && oneof.Fields().Get(n%oneof.Fields().Len()) != f {
			continue
		}
		if !f.IsList() {
			if f.Message() != nil {
				fill(m.Mutable(f).Message(), n, depth-1)
				continue
			}
			m.Set(f, scalar(f, n))
			continue
		}
		list := m.Mutable(f).List()
		for i := range 2 {
			if f.Message() != nil {
				fill(list.AppendMutable().Message(), n+i, depth-1)
			} else {
				list.Append(scalar(f, n+i))
			}
		}
	}
}

func scalar(f protoreflect.FieldDescriptor, n int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(hostile)
	case protoreflect.BytesKind:
		size := map[protoreflect.Name]int{"trace_id": 16, "span_id": 8, "parent_span_id": 8}[f.Name()]
		if size == 0 {
			size = 5
		}
		return protoreflect.ValueOfBytes([]byte(strings.Repeat("\xa7", size)))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(2)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(math.MaxUint32)
	case protoreflect.Sint32Kind, protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(-7)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(math.MaxUint64 - uint64(n))
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(math.MinInt64 + int64(n))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{math.Inf(1), math.NaN(), math.Inf(-1), -0.5, 1e-9, 1e300, 12345678}[n%7])
	}
	panic(f.FullName())
}

// asOTLP returns protobuf's JSON of m with the identifiers as OTLP has them: bytes whose
// base 64 is the identifier's digits stand in their place.
func asOTLP(t *testing.T, m proto.Message) []byte {
	t.Helper()
	var turn func(m protoreflect.Message)
	turn = func(m protoreflect.Message) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case f.Message() != nil && f.IsList():
				for i := range v.List().Len() {
					turn(v.List().Get(i).Message())
				}
			case f.Message() != nil:
				turn(v.Message())
			case f.Name() == "trace_id" || f.Name() == "span_id" || f.Name() == "parent_span_id":
				id, err := base64.StdEncoding.DecodeString(hex.EncodeToString(v.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				m.Set(f, protoreflect.ValueOfBytes(id))
			}
			return true
		})
	}
	m = proto.Clone(m)
	turn(m.ProtoReflect())
	text, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestJSON holds that requests are written as OTLP's JSON has them: as protobuf's, but
// for identifiers. Each field is there that proto/otlp knows, save those unwritten.
func TestJSON(t *testing.T) {
	for name, signal := range map[string]struct {
		message proto.Message
		line    func([]byte) []byte
	}{
		"traces":  {&traces.TracesData{}, TracesJSON},
		"metrics": {&metrics.MetricsData{}, MetricsJSON},
		"logs":    {&logs.LogsData{}, LogsJSON},
	} {
		for n := range 8 {
			m := signal.message.ProtoReflect().New()
			fill(m, n, 8)
			request, err := proto.Marshal(m.Interface())
			if err != nil {
				t.Fatal(err)
			}
			line := string(signal.line(request))
			if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") || strings.ContainsAny(line, "\x1b\u202e\u2028\u0085\U000e0041") {
				t.Errorf("%s: not one line in which all is visible: %q", name, line)
			}
			var got, want any
			if err := json.Unmarshal([]byte(line), &got); err != nil {
				t.Fatalf("%s: %v in %s", name, err, line)
			}
			if err := json.Unmarshal(asOTLP(t, m.Interface()), &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) { // which is faster
				t.Fatalf("%s, %d: (-want +got):\n%s", name, n, cmp.Diff(want, got))
			}
		}
		if got := string(signal.line(nil)); got != "{}\n" {
			t.Errorf("%s: nothing is %q", name, got)
		}
	}
}
