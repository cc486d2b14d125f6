package main

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Schemas may refer to others, and the library would read those from the disk of whoever runs it. The two functions that
// take a schema are therefore asked through this fence.
func init() {
	fence(ast.JSONSchemaVerify.Name, 0)
	fence(ast.JSONMatchSchema.Name, 1)
}

var errReference = errors.New("a schema may refer to its own parts alone (#/...)")

// fence puts a look at the schema, which is the operand of this index, before the library's own function.
func fence(name string, schema int) {
	library := topdown.GetBuiltin(name)
	topdown.RegisterBuiltinFunc(
		name, func(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
			if refersElsewhere(operands[schema].Value) {
				return errReference
			}
			return library(bctx, operands, iter)
		})
}

// refersElsewhere looks at every name of the schema; one that is a text is JSON.
func refersElsewhere(value ast.Value) bool {
	var found any
	if text, ok := value.(ast.String); ok {
		if json.Unmarshal([]byte(text), &found) != nil {
			return false // the library refuses it
		}
	} else {
		var err error
		if found, err = ast.JSON(value); err != nil {
			return true
		}
	}
	return leadsOut(found)
}

func leadsOut(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for key, below := range value {
			text, isText := below.(string)
			switch key {
			case "$ref":
				if isText && !strings.HasPrefix(text, "#") {
					return true
				}
			case "$id", "id", "$schema":
				if isText && strings.Contains(strings.ToLower(text), "file:") {
					return true
				}
			}
			if leadsOut(below) {
				return true
			}
		}
	case []any:
		for _, below := range value {
			if leadsOut(below) {
				return true
			}
		}
	}
	return false
}
