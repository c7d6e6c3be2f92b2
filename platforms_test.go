package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
)

// environments are the variables that each platform's documentation says are there, with
// values as it shows them.
var environments = map[string]map[string]string{
	// https://docs.cloud.google.com/run/docs/container-contract
	"cloudrun": {"PORT": "8080", "K_SERVICE": "spangate", "K_REVISION": "spangate.1", "K_CONFIGURATION": "spangate"},
	// https://fly.io/docs/machines/runtime-environment
	"fly": {
		"FLY_APP_NAME": "spangate", "FLY_MACHINE_ID": "148e45e1c07689", "FLY_ALLOC_ID": "148e45e1c07689", "FLY_REGION": "ams",
		"FLY_PUBLIC_IP": "2605:4c40:1:2::3", "FLY_IMAGE_REF": "spangate:deployment-01H9RK9EYO9PGNBYAKGXSHV0PH",
		"FLY_MACHINE_VERSION": "01H9RK9EYO9PGNBYAKGXSHV0PH", "FLY_PRIVATE_IP": "fdaa:0:18:a7b:7d:f066:fd9d:2",
		"FLY_PROCESS_GROUP": "app", "FLY_VM_MEMORY_MB": "256", "PRIMARY_REGION": "ams",
	},
	// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
	"kubernetes": {
		"HOSTNAME": "spangate-7d4b9c5f6d-x2x7q", "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443",
		"KUBERNETES_SERVICE_PORT_HTTPS": "443", "KUBERNETES_PORT": "tcp://10.96.0.1:443", "KUBERNETES_PORT_443_TCP": "tcp://10.96.0.1:443",
		"KUBERNETES_PORT_443_TCP_PROTO": "tcp", "KUBERNETES_PORT_443_TCP_PORT": "443", "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
	},
	// https://learn.microsoft.com/azure/container-apps/environment-variables
	"azure": {
		"CONTAINER_APP_NAME": "spangate", "CONTAINER_APP_REVISION": "spangate--20mh1s9", "CONTAINER_APP_REPLICA_NAME": "spangate--20mh1s9-86c8c4b497-zx9bq",
		"CONTAINER_APP_HOSTNAME":       "spangate--20mh1s9.victoriousdune-12345678.westeurope.azurecontainerapps.io",
		"CONTAINER_APP_ENV_DNS_SUFFIX": "victoriousdune-12345678.westeurope.azurecontainerapps.io", "CONTAINER_APP_PORT": "8080",
	},
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-metadata.html
	"ecs": {
		"ECS_CONTAINER_METADATA_URI":             "http://169.254.170.2/v3/cd189a933e5849daa93386466019ab50-2495160603",
		"ECS_CONTAINER_METADATA_URI_V4":          "http://169.254.170.2/v4/cd189a933e5849daa93386466019ab50-2495160603",
		"ECS_AGENT_URI":                          "http://169.254.170.2/api/cd189a933e5849daa93386466019ab50-2495160603",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/4ff71346-55ee-4a1c-96b7-2b01ea4ebc5f",
		"AWS_EXECUTION_ENV":                      "AWS_ECS_FARGATE", "AWS_DEFAULT_REGION": "eu-central-1", "AWS_REGION": "eu-central-1",
	},
	"none": {"HOSTNAME": "2f4c9b1d7a30"},
}

// What a platform sets is understood, and nothing else: each is found by its
// environment alone, and what that changes is in testdata/platforms.
func TestPlatforms(t *testing.T) {
	for _, platform := range config.Platforms {
		t.Run(platform.Name, func(t *testing.T) {
			given := environments[platform.Name]
			if given == nil {
				t.Fatal("nothing is known of its environment")
			}
			if _, marked := given[platform.Mark]; !marked && platform.Mark != "" {
				t.Errorf("its environment has no %s", platform.Mark)
			}
			environ := []string{backends}
			for _, name := range slices.Sorted(maps.Keys(given)) {
				environ = append(environ, name+"="+given[name])
			}
			got, stderr, code := asked(t, environ, "config", "--changed")
			if code != 0 || stderr != "" {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			file := filepath.Join("testdata", "platforms", platform.Name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, []byte(got)) {
				t.Errorf("what it changes (-want +got), right with -update:\n%s", cmp.Diff(string(want), got))
			}
		})
	}
}
