package main

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"trueup.dev/engines/pipe"
)

// A document is one YAML document of a file: its bytes, and the 1-based lines of its bytes and of its first content.
type document struct {
	text  []byte
	first int
	line  int
	ids   []identity
}

// identity is what a person needs to recognise an object.
type identity struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Name       string `yaml:"name"`
	Namespace  string `yaml:"namespace"`
	line       int
}

func (id identity) group() string {
	if i := strings.LastIndexByte(id.APIVersion, '/'); i >= 0 {
		return id.APIVersion[:i]
	}
	return ""
}

func (id identity) String() string {
	if id.Namespace != "" {
		return fmt.Sprintf("%s %s/%s", id.Kind, id.Namespace, id.Name)
	}
	return fmt.Sprintf("%s %s", id.Kind, id.Name)
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// documents splits a text at lines that begin with "---" and hold nothing else but a comment, and leaves out documents
// without content. Anything else after the "---" stays in the document, for the reader to judge.
func documents(text []byte) []document {
	text = bytes.TrimPrefix(text, byteOrderMark)
	var docs []document
	start, first, number := 0, 1, 0
	content := 0
	flush := func(end int) {
		if content > 0 {
			docs = append(docs, document{text: text[start:end], first: first, line: content})
		}
		content = 0
	}
	for position := 0; position < len(text); {
		end := bytes.IndexByte(text[position:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += position + 1
		}
		number++
		line := bytes.TrimSpace(text[position:end])
		switch {
		case isSeparator(text[position:end]):
			flush(position)
			start, first = end, number+1
		case content == 0 && len(line) > 0 && line[0] != '#':
			content = number
		}
		position = end
	}
	flush(len(text))
	return docs
}

func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	if !ok {
		return false
	}
	rest = bytes.TrimSpace(rest)
	return len(rest) == 0 || rest[0] == '#'
}

// identify finds the objects of a document, the items of a list included. It returns a syntax error with its line.
func (d *document) identify() *pipe.Problem {
	var node yaml.Node
	if err := yaml.Unmarshal(d.text, &node); err != nil {
		return syntaxProblem(err, d.first)
	}
	if len(node.Content) == 0 {
		return nil
	}
	d.collect(node.Content[0])
	return nil
}

func (d *document) collect(node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		d.ids = append(d.ids, identity{line: d.first + node.Line - 1})
		return
	}
	id := identity{line: d.first + node.Line - 1}
	var items *yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i].Value, node.Content[i+1]
		switch key {
		case "apiVersion":
			id.APIVersion = value.Value
		case "kind":
			id.Kind = value.Value
		case "metadata":
			for j := 0; j+1 < len(value.Content); j += 2 {
				switch value.Content[j].Value {
				case "name":
					id.Name = value.Content[j+1].Value
				case "namespace":
					id.Namespace = value.Content[j+1].Value
				}
			}
		case "items":
			if value.Kind == yaml.SequenceNode {
				items = value
			}
		}
	}
	if items != nil && strings.HasSuffix(id.Kind, "List") {
		for _, item := range items.Content {
			d.collect(item)
		}
		return
	}
	d.ids = append(d.ids, id)
}
