package export

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/export/otlp"
)

// fact is an attribute of the resource: what a variable says, or a value.
type fact struct {
	variable  string
	attribute attribute.KeyValue // without a value if there is a variable
}

// facts are what the platforms of PLATFORM let a program know of itself without
// asking anybody. What only a metadata service knows, such as the identifier of
// an instance of Cloud Run, is left out: a start must not wait for it.
var facts = map[string][]fact{
	"cloudrun": { // https://cloud.google.com/run/docs/container-contract
		{"", semconv.CloudProviderGCP}, {"", semconv.CloudPlatformGCPCloudRun},
		{"K_SERVICE", key(semconv.FaaSNameKey)}, {"K_REVISION", key(semconv.FaaSVersionKey)},
		{"GOOGLE_CLOUD_PROJECT", key(semconv.CloudAccountIDKey)},
	},
	"fly": { // https://fly.io/docs/machines/runtime-environment
		{"FLY_APP_NAME", key(semconv.FaaSNameKey)}, {"FLY_MACHINE_VERSION", key(semconv.FaaSVersionKey)},
		{"FLY_MACHINE_ID", key(semconv.FaaSInstanceKey)},
		{"FLY_REGION", key(semconv.CloudRegionKey)}, {"FLY_IMAGE_REF", key(semconv.ContainerImageNameKey)},
	},
	"azure": { // https://learn.microsoft.com/azure/container-apps/environment-variables
		{"", semconv.CloudProviderAzure}, {"", semconv.CloudPlatformAzureContainerApps},
		{"CONTAINER_APP_NAME", key(semconv.FaaSNameKey)}, {"CONTAINER_APP_REVISION", key(semconv.FaaSVersionKey)},
		{"CONTAINER_APP_REPLICA_NAME", key(semconv.FaaSInstanceKey)},
	},
	"ecs": {
		{"", semconv.CloudProviderAWS}, {"", semconv.CloudPlatformAWSECS},
		{"AWS_REGION", key(semconv.CloudRegionKey)},
	},
	// Nothing is there by itself: a manifest hands it over by the downward API.
	"kubernetes": {
		{"K8S_CLUSTER_NAME", key(semconv.K8SClusterNameKey)}, {"K8S_NAMESPACE_NAME", key(semconv.K8SNamespaceNameKey)},
		{"K8S_NODE_NAME", key(semconv.K8SNodeNameKey)}, {"K8S_DEPLOYMENT_NAME", key(semconv.K8SDeploymentNameKey)},
		{"K8S_POD_NAME", key(semconv.K8SPodNameKey)}, {"K8S_POD_UID", key(semconv.K8SPodUIDKey)},
		{"K8S_CONTAINER_NAME", key(semconv.K8SContainerNameKey)},
	},
}

func key(k attribute.Key) attribute.KeyValue { return attribute.KeyValue{Key: k} }

// platformAttributes returns what is known of where the program runs.
func platformAttributes(platform string, environ []string) []attribute.KeyValue {
	given := map[string]string{}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		given[name] = value
	}
	var attributes []attribute.KeyValue
	for _, f := range facts[platform] {
		if f.variable == "" {
			attributes = append(attributes, f.attribute)
		} else if value := given[f.variable]; value != "" {
			attributes = append(attributes, f.attribute.Key.String(otlp.ValidText(value)))
		}
	}
	return attributes
}
