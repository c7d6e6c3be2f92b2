package schema

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/appcontainers/armappcontainers/v3"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"sigs.k8s.io/yaml"
)

// TestContainerApp holds that nothing of the file is lost on the way through its
// type, which passes over what it does not know.
func TestContainerApp(t *testing.T) {
	text, err := os.ReadFile("../azure/containerapp.yaml")
	if err != nil {
		t.Fatal(err)
	}
	written, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatal(err)
	}
	var app armappcontainers.ContainerApp
	if err := json.Unmarshal(written, &app); err != nil {
		t.Fatal(err)
	}
	understood, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal(written, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(understood, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("written is\n%s\nunderstood\n%s", written, understood)
	}
	among(t, *app.Properties.Configuration.ActiveRevisionsMode, armappcontainers.PossibleActiveRevisionsModeValues())
	among(t, *app.Properties.Configuration.Ingress.Transport, armappcontainers.PossibleIngressTransportMethodValues())
	for _, container := range app.Properties.Template.Containers {
		for _, probe := range container.Probes {
			among(t, *probe.Type, armappcontainers.PossibleTypeValues())
		}
	}
}

// TestTaskDefinition holds that each field is one of its type, spelled as in the API.
func TestTaskDefinition(t *testing.T) {
	text, err := os.ReadFile("../ecs/task-definition.json")
	if err != nil {
		t.Fatal(err)
	}
	var written any
	if err := json.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	spelled(t, "", written, reflect.TypeFor[types.TaskDefinition]())
	var task types.TaskDefinition
	if err := json.Unmarshal(text, &task); err != nil {
		t.Fatal(err)
	}
	among(t, task.NetworkMode, task.NetworkMode.Values())
	among(t, task.RuntimePlatform.CpuArchitecture, task.RuntimePlatform.CpuArchitecture.Values())
	among(t, task.RuntimePlatform.OperatingSystemFamily, task.RuntimePlatform.OperatingSystemFamily.Values())
	for _, launch := range task.RequiresCompatibilities {
		among(t, launch, launch.Values())
	}
	for _, container := range task.ContainerDefinitions {
		among(t, container.LogConfiguration.LogDriver, container.LogConfiguration.LogDriver.Values())
		for _, mapping := range container.PortMappings {
			among(t, mapping.Protocol, mapping.Protocol.Values())
			among(t, mapping.AppProtocol, mapping.AppProtocol.Values())
		}
	}
}

// spelled holds that each key below value is a field of kind, as the API has it: the
// type's own name, with a small letter in front.
func spelled(t *testing.T, path string, value any, kind reflect.Type) {
	t.Helper()
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch value := value.(type) {
	case []any:
		if kind.Kind() != reflect.Slice {
			t.Errorf("%s is a list", path)
			return
		}
		for _, entry := range value {
			spelled(t, path+"[]", entry, kind.Elem())
		}
	case map[string]any:
		if kind.Kind() == reflect.Map {
			return // of the user's own keys
		}
		for key, below := range value {
			first := []rune(key)
			field, ok := kind.FieldByName(string(unicode.ToUpper(first[0])) + string(first[1:]))
			if !ok || unicode.IsUpper(first[0]) {
				t.Errorf("%s is no field", strings.TrimPrefix(path+"."+key, "."))
				continue
			}
			spelled(t, path+"."+key, below, field.Type)
		}
	}
}

func among[T comparable](t *testing.T, got T, possible []T) {
	t.Helper()
	if !slices.Contains(possible, got) {
		t.Errorf("%v is none of %v", got, possible)
	}
}
