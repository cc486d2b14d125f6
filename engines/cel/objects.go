package main

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"
	"k8s.io/apiserver/pkg/warning"

	"trueup.dev/engines/pipe"
)

// keptSchemas bounds how many schemas' programs are kept.
const keptSchemas = 64

// objectParams: a custom resource against the rules of its schema. The schema is named by its digest, and sent along
// only when the engine says that it does not know it.
type objectParams struct {
	Digest string              `json:"digest"`
	Schema *v1.JSONSchemaProps `json:"schema"`
	Object *tree               `json:"object"`
	Old    *tree               `json:"old"`
}

// compiled is a schema with the programs of its rules.
type compiled struct {
	schema    *structuralschema.Structural
	validator *cel.Validator
}

var schemas = map[string]compiled{}

// object says which rules a custom resource breaks. Whether other errors keep rules from being asked is the caller's.
func object(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params objectParams
	if err := read(raw, &params); err != nil {
		return nil, false, err
	}
	rules, known := schemas[params.Digest]
	if !known {
		if params.Schema == nil {
			return nil, false, &pipe.Problem{Code: "UnknownSchema", Message: "the schema is not known here yet"}
		}
		var err error
		if rules, err = compile(params.Schema); err != nil {
			return nil, false, err
		}
		if len(schemas) >= keptSchemas {
			clear(schemas)
		}
		schemas[params.Digest] = rules
	}
	if params.Object == nil {
		return nil, false, &pipe.Problem{Code: "BadParams", Message: "there is no object"}
	}
	said := &problems{}
	ctx := warning.WithWarningRecorder(context.Background(), said)
	var old any
	var options []cel.Option
	if params.Old != nil {
		old = params.Old.Value
		correlated := common.NewCorrelatedObject(params.Object.Value, old, &model.Structural{Structural: rules.schema})
		options = append(options, cel.WithRatcheting(correlated))
	}
	errs, _ := rules.validator.Validate(
		ctx, nil, rules.schema, params.Object.Value, old, celconfig.RuntimeCELCostBudget, options...,
	)
	found := told(errs)
	found.Warnings = said.Warnings
	return found, false, nil
}

func compile(versioned *v1.JSONSchemaProps) (compiled, error) {
	internal := &apiextensions.JSONSchemaProps{}
	if err := v1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(versioned, internal, nil); err != nil {
		return compiled{}, &pipe.Problem{Code: "BadParams", Message: err.Error()}
	}
	structural, err := structuralschema.NewStructural(internal)
	if err != nil {
		return compiled{}, &pipe.Problem{Code: "NotStructural", Message: fmt.Sprintf("the schema: %v", err)}
	}
	return compiled{structural, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}
