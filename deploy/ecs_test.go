package deploy_test

import (
	"encoding/json"
	"slices"
	"syscall"
	"testing"
	"time"
)

func ecs(t *testing.T) manifest {
	t.Helper()
	// Whether all else is right is the question of deploy/schema.
	var file struct {
		ContainerDefinitions []struct {
			PortMappings []struct{ ContainerPort int }
			Environment  []struct{ Name, Value string }
			Secrets      []struct{ Name, ValueFrom string }
			HealthCheck  struct{ Command []string }
			StopTimeout  int
			User         string
		}
	}
	if err := json.Unmarshal([]byte(read(t, "ecs/task-definition.json")), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.ContainerDefinitions) != 1 || len(file.ContainerDefinitions[0].PortMappings) != 1 {
		t.Fatalf("there is not one container with one port: %+v", file)
	}
	c := file.ContainerDefinitions[0]
	m := manifest{
		platform: "ecs",
		given: map[string]string{
			"ECS_CONTAINER_METADATA_URI": "http://169.254.170.2/v3/1", "ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/1",
			"ECS_AGENT_URI": "http://169.254.170.2/api/1", "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
			"AWS_DEFAULT_REGION": "eu-central-1", "AWS_REGION": "eu-central-1",
		},
		set:    map[string]string{},
		facts:  map[string]any{"cloud.provider": "aws", "cloud.region": "eu-central-1"},
		port:   c.PortMappings[0].ContainerPort,
		probes: []string{"/.spangate/live"},
		signal: syscall.SIGTERM,
		grace:  time.Duration(c.StopTimeout) * time.Second,
	}
	for _, variable := range c.Environment {
		m.set[variable.Name] = variable.Value
	}
	for _, s := range c.Secrets {
		m.set[s.Name] = secret(t, s.Name)
	}
	if want := []string{"CMD", "/spangate", "healthcheck"}; !slices.Equal(c.HealthCheck.Command, want) || c.User != "65532:65532" {
		t.Errorf("health is asked by %q as %s: there is no shell, and no other user", c.HealthCheck.Command, c.User)
	}
	return m
}
