package main

import (
	"encoding/json"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"trueup.dev/engines/pipe"
)

// problem is one error about a field, as a Status of the API server tells it in its causes.
type problem struct {
	Field   string `json:"field"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type problems struct {
	Problems []problem `json:"problems"`
	// Warnings are for the answer's headers: errors that a change did not bring about.
	Warnings []string `json:"warnings,omitempty"`
}

// AddWarning notes what the library would tell the client of a request.
func (p *problems) AddWarning(_, text string) { p.Warnings = append(p.Warnings, text) }

func told(errs field.ErrorList) problems {
	found := problems{Problems: make([]problem, len(errs))}
	for i, err := range errs {
		found.Problems[i] = problem{Field: err.Field, Reason: string(err.Type), Message: err.ErrorBody()}
	}
	return found
}

// tree is an object as the API server reads one: whole numbers stay whole.
type tree struct{ Value map[string]any }

func (t *tree) UnmarshalJSON(raw []byte) error {
	return utiljson.Unmarshal(raw, &t.Value)
}

func read(raw json.RawMessage, params any) error {
	if err := json.Unmarshal(raw, params); err != nil {
		return &pipe.Problem{Code: "BadParams", Message: err.Error()}
	}
	return nil
}
