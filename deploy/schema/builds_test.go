package schema

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// build is all that kustomize makes of one directory, by kind and name.
type build map[string][]byte

// builds are what can be applied: the base, the overlays, the base with each of the
// components, and with each two of them, which say that they combine.
var builds = sync.OnceValues(func() (map[string]build, error) {
	tree := filesys.MakeFsInMemory()
	err := fs.WalkDir(os.DirFS("../kubernetes"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join("../kubernetes", path))
		if err != nil {
			return err
		}
		return tree.WriteFile("/"+path, text)
	})
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{"base": "/base"}
	overlays, err := tree.ReadDir("/overlays")
	if err != nil {
		return nil, err
	}
	for _, name := range overlays {
		dirs["overlays/"+name] = "/overlays/" + name
	}
	components, err := tree.ReadDir("/components")
	if err != nil {
		return nil, err
	}
	for i, a := range components {
		for _, b := range components[i:] {
			names := slices.Compact([]string{a, b})
			dir := "/of/" + strings.Join(names, "-")
			text := "resources: [../../base]\ncomponents: [../../components/" + strings.Join(names, ", ../../components/") + "]\n"
			if err := tree.WriteFile(dir+"/kustomization.yaml", []byte(text)); err != nil {
				return nil, err
			}
			dirs[strings.Join(names, "+")] = dir
		}
	}
	all := map[string]build{}
	for name, dir := range dirs {
		made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(tree, dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if all[name], err = objectsOf(made); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
})

func objectsOf(made resmap.ResMap) (build, error) {
	b := build{}
	for _, object := range made.Resources() {
		text, err := object.AsYAML()
		if err != nil {
			return nil, err
		}
		b[object.GetKind()+" "+object.GetName()] = text
	}
	return b, nil
}

func allBuilds(t *testing.T) map[string]build {
	t.Helper()
	all, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// eachBuild runs a test of every one.
func eachBuild(t *testing.T, test func(t *testing.T, b build)) {
	t.Helper()
	for name, b := range allBuilds(t) {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// with returns what comes of the base and a component.
func with(t *testing.T, component string) build {
	t.Helper()
	b := allBuilds(t)[component]
	if b == nil {
		t.Fatalf("there is no component %s", component)
	}
	return b
}

// of returns the objects of a kind.
func of[T any](t *testing.T, b build, kind string) (objects []*T) {
	t.Helper()
	for name, text := range b {
		if strings.HasPrefix(name, kind+" ") {
			object := new(T)
			decode(t, name, text, object)
			objects = append(objects, object)
		}
	}
	return objects
}

func (b build) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	d := new(appsv1.Deployment)
	decode(t, "the Deployment", b["Deployment spangate"], d)
	return d
}

func (b build) service(t *testing.T) *corev1.Service {
	t.Helper()
	s := new(corev1.Service)
	decode(t, "the Service", b["Service spangate"], s)
	return s
}

// variables returns those of a container, and its ports by their names.
func variables(container corev1.Container) (env map[string]string, ports map[string]int32) {
	env, ports = map[string]string{}, map[string]int32{}
	for _, port := range container.Ports {
		ports[port.Name] = port.ContainerPort
	}
	for _, variable := range container.Env {
		env[variable.Name] = variable.Value
	}
	return env, ports
}
