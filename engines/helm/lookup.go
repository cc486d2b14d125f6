package main

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"trueup.dev/engines/pipe"
)

// cluster answers the `lookup` of templates by asking the client of this engine, which asks under the tenant's rights.
type cluster struct{ files *pipe.Files }

// looked is one answer: an object, a list (`items`), or nothing.
type looked struct {
	Found  bool           `json:"found"`
	Object map[string]any `json:"object"`
}

// GetClientFor gives a client that can only read. Every kind counts as namespaced; the asker knows which are.
func (c cluster) GetClientFor(apiVersion, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return &reader{files: c.files, apiVersion: apiVersion, kind: kind}, true, nil
}

// reader has the methods that the library's lookup calls; a call of any other would be a nil dereference, which the
// pipe turns into an error of the request.
type reader struct {
	dynamic.NamespaceableResourceInterface
	files                       *pipe.Files
	apiVersion, kind, namespace string
}

func (r *reader) Namespace(name string) dynamic.ResourceInterface {
	return &reader{files: r.files, apiVersion: r.apiVersion, kind: r.kind, namespace: name}
}

func (r *reader) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	answer, err := r.ask(name)
	if err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: answer}, nil
}

func (r *reader) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	answer, err := r.ask("")
	if err != nil {
		return nil, err
	}
	return (&unstructured.Unstructured{Object: answer}).ToList()
}

func (r *reader) ask(name string) (map[string]any, error) {
	question := map[string]string{
		"apiVersion": r.apiVersion, "kind": r.kind, "namespace": r.namespace, "name": name,
	}
	var answer looked
	if err := r.files.Ask("lookup", question, &answer); err != nil {
		return nil, fmt.Errorf("lookup of %s %s: %w", r.apiVersion, r.kind, err)
	}
	if !answer.Found {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: r.kind}, name)
	}
	return answer.Object, nil
}
