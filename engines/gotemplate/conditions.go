package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"trueup.dev/engines/pipe"
)

// conditionsParams asks whether conditions hold: each with each set of values.
type conditionsParams struct {
	Expressions []string          `json:"expressions"`
	Values      []json.RawMessage `json:"values"`
}

// judged says whether a condition holds, or why nobody can say, with the place in it.
type judged struct {
	Holds  bool   `json:"holds"`
	Error  string `json:"error,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// conditions judges expressions, all of which name things freely: what is not there is nil. One that fails hinders no other.
func conditions(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params conditionsParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, &pipe.Problem{Code: "BadParams", Message: err.Error()}
	}
	programs := make([]*vm.Program, len(params.Expressions))
	broken := make([]judged, len(params.Expressions))
	for i, text := range params.Expressions {
		var err error
		if programs[i], err = expr.Compile(text); err != nil {
			broken[i] = misjudged(err)
		}
	}
	answer := make([][]judged, len(params.Values))
	for row, each := range params.Values {
		values, err := objectLike(each)
		if err != nil {
			return nil, false, &pipe.Problem{Code: "BadParams", Message: err.Error()}
		}
		answer[row] = make([]judged, len(programs))
		for i, program := range programs {
			if answer[row][i] = broken[i]; program != nil {
				answer[row][i] = judge(program, values)
			}
		}
	}
	return map[string]any{"results": answer}, false, nil
}

func judge(program *vm.Program, values any) judged {
	value, err := expr.Run(program, values)
	if err != nil {
		return misjudged(err)
	}
	holds, ok := value.(bool)
	if !ok {
		return judged{Error: fmt.Sprintf("gives %T, neither true nor false", value)}
	}
	return judged{Holds: holds}
}

func misjudged(err error) judged {
	found := judged{Error: shortened(err.Error())}
	var placed *file.Error
	if errors.As(err, &placed) {
		// The library's own text repeats the place and draws the line below it.
		found = judged{Error: shortened(placed.Message), Line: placed.Line, Column: placed.Column + 1}
	}
	return found
}
