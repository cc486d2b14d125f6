package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"cuelang.org/go/cue"
	"sigs.k8s.io/yaml"

	"trueup.dev/engines/pipe"
)

// deepest is how far structs and lists of objects may stand in one another.
const deepest = 20

// object is one manifest, and where its struct stands. Text is its YAML, given only where a `$` stands in it.
type object struct {
	JSON json.RawMessage `json:"object"`
	Path string          `json:"path"`
	Line int             `json:"line,omitempty"`
	Text string          `json:"text,omitempty"`
}

// collector takes objects out of values: a value is an object, a list of values, or a struct whose fields are values, in
// the order in which CUE has them.
type collector struct {
	objects    []object
	bytes      int
	maxObjects int
	maxBytes   int
}

// all takes the objects of a value that is complete, as `cue export` wants it.
func (c *collector) all(value cue.Value, name string) error {
	if err := value.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return explain(err)
	}
	return c.add(value, name, 0)
}

func (c *collector) add(value cue.Value, name string, depth int) error {
	if depth > deepest {
		return noObject(value, name, fmt.Sprintf("objects stand more than %d levels deep", deepest))
	}
	value, _ = value.Default()
	switch kind := value.IncompleteKind(); kind {
	case cue.NullKind:
		return nil
	case cue.StructKind:
		if isObject(value) {
			return c.take(value, name, depth)
		}
		return c.fields(value, name, depth)
	case cue.ListKind:
		return c.items(value, name, depth)
	case cue.BottomKind:
		return explain(value.Err())
	default:
		return noObject(value, name, fmt.Sprintf("found %s", kind))
	}
}

// isObject: a kind makes an object, and that it lacks the rest is the reader's of manifests to say.
func isObject(value cue.Value) bool {
	kind, version := value.LookupPath(cue.ParsePath("kind")), value.LookupPath(cue.ParsePath("apiVersion"))
	return kind.Exists() && version.Exists() && kind.IncompleteKind() == cue.StringKind
}

func (c *collector) fields(value cue.Value, name string, depth int) error {
	fields, err := value.Fields()
	if err != nil {
		return explain(err)
	}
	for fields.Next() {
		if err := c.add(fields.Value(), joined(name, fields.Selector().String()), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) items(value cue.Value, name string, depth int) error {
	items, err := value.List()
	if err != nil {
		return explain(err)
	}
	for index := 0; items.Next(); index++ {
		if err := c.add(items.Value(), fmt.Sprintf("%s[%d]", name, index), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// take exports one object; a List gives its items.
func (c *collector) take(value cue.Value, name string, depth int) error {
	if items := value.LookupPath(cue.ParsePath("items")); isList(value) && items.Exists() {
		return c.items(items, joined(name, "items"), depth)
	}
	data, err := value.MarshalJSON()
	if err != nil {
		return explain(err)
	}
	at := place(value.Pos())
	c.bytes += len(data)
	if c.maxBytes > 0 && c.bytes > c.maxBytes {
		return &pipe.Problem{
			Code: "TooLarge", Path: at.Path, Message: fmt.Sprintf("the objects have more than %d bytes together", c.maxBytes),
		}
	}
	if c.maxObjects > 0 && len(c.objects) >= c.maxObjects {
		return &pipe.Problem{
			Code: "TooMany", Path: at.Path, Message: fmt.Sprintf("there are more than %d objects", c.maxObjects),
		}
	}
	one := object{JSON: data, Path: at.Path, Line: at.Line}
	if bytes.ContainsRune(data, '$') {
		text, err := yaml.JSONToYAML(data)
		if err != nil {
			return err
		}
		one.Text = string(text)
	}
	c.objects = append(c.objects, one)
	return nil
}

func isList(value cue.Value) bool {
	kind, err := value.LookupPath(cue.ParsePath("kind")).String()
	return err == nil && strings.HasSuffix(kind, "List")
}

func noObject(value cue.Value, name, what string) *pipe.Problem {
	at := place(value.Pos())
	if name == "" {
		name = "the package's value"
	}
	return &pipe.Problem{
		Code: "NoManifest", Path: at.Path, Line: at.Line, Column: at.Column,
		Message: fmt.Sprintf("%s is no Kubernetes object: %s", name, what),
		Hint: "every regular field must come to objects: hide the others (_name, #Name), or choose with an expression " +
			"what is exported",
	}
}

func joined(name, below string) string {
	if name == "" {
		return below
	}
	return name + "." + below
}
