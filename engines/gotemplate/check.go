package main

import (
	"encoding/json"

	"github.com/expr-lang/expr"

	"trueup.dev/engines/pipe"
)

// parseParams asks what is wrong with templates and conditions, whatever they would be filled in with.
type parseParams struct {
	executeParams
	Expressions []string `json:"expressions"`
}

// check parses and compiles, and runs nothing.
func check(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params parseParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, &pipe.Problem{Code: "BadParams", Message: err.Error()}
	}
	functions, err := functionsOf(params.Functions)
	if err != nil {
		return nil, false, err
	}
	templates := make([]executed, len(params.Templates))
	for i, each := range params.Templates {
		if _, err := parse(each, functions, &params.executeParams); err != nil {
			templates[i] = failure(err)
		}
	}
	expressions := make([]judged, len(params.Expressions))
	for i, text := range params.Expressions {
		if _, err := expr.Compile(text); err != nil {
			expressions[i] = misjudged(err)
		}
	}
	return map[string]any{"templates": templates, "expressions": expressions}, false, nil
}
