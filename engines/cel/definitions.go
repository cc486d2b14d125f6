package main

import (
	"context"
	"encoding/json"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"

	"trueup.dev/engines/pipe"
)

// definitionParams: a CustomResourceDefinition (v1, defaults filled in) and what it was before, if it is changed.
type definitionParams struct {
	Object json.RawMessage `json:"object"`
	Old    json.RawMessage `json:"old"`
}

// definition says all that is wrong with a definition, its rules included: types, costs, compilation.
func definition(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params definitionParams
	if err := read(raw, &params); err != nil {
		return nil, false, err
	}
	object, err := definitionOf(params.Object)
	if err != nil {
		return nil, false, err
	}
	if len(params.Old) == 0 || string(params.Old) == "null" {
		return told(validation.ValidateCustomResourceDefinition(context.Background(), object)), false, nil
	}
	old, err := definitionOf(params.Old)
	if err != nil {
		return nil, false, err
	}
	return told(validation.ValidateCustomResourceDefinitionUpdate(context.Background(), object, old)), false, nil
}

func definitionOf(raw json.RawMessage) (*apiextensions.CustomResourceDefinition, error) {
	var versioned v1.CustomResourceDefinition
	if err := read(raw, &versioned); err != nil {
		return nil, err
	}
	internal := &apiextensions.CustomResourceDefinition{}
	if err := v1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&versioned, internal, nil); err != nil {
		return nil, &pipe.Problem{Code: "BadParams", Message: err.Error()}
	}
	return internal, nil
}
