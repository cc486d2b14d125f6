package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"

	"trueup.dev/engines/pipe"
)

// evalParams: each query with each input, over the same policies and data.
type evalParams struct {
	modulesParams
	Queries []string          `json:"queries"`
	Data    json.RawMessage   `json:"data"`
	Inputs  []json.RawMessage `json:"inputs"`
	// Strict: an error of a built-in function is an error, and not undefined.
	Strict   bool `json:"strict"`
	MaxBytes int  `json:"maxBytes"`
}

// evaluated is the value of a query. One that is undefined has none, and is no error.
type evaluated struct {
	Defined bool            `json:"defined"`
	Value   json.RawMessage `json:"value,omitempty"`
	Error   *pipe.Problem   `json:"error,omitempty"`
}

// results has a row for each input, with the queries in their order.
type results struct {
	Results [][]evaluated `json:"results"`
}

// eval gives the values of queries. One that fails does not keep the others from their values.
func eval(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params evalParams
	if err := read(raw, &params); err != nil {
		return nil, false, err
	}
	queries, err := prepare(&params)
	if err != nil {
		return nil, false, err
	}
	answer, total := results{Results: make([][]evaluated, len(params.Inputs))}, 0
	for row, text := range params.Inputs {
		var input any
		if err := util.Unmarshal(text, &input); err != nil {
			return nil, false, &pipe.Problem{Code: "BadParams", Message: fmt.Sprintf("input %d: %v", row, err)}
		}
		answer.Results[row] = make([]evaluated, len(queries))
		for i, query := range queries {
			one := evalOne(query, input)
			if total += len(one.Value); params.MaxBytes > 0 && total > params.MaxBytes {
				return nil, false, &pipe.Problem{
					Code: "TooLarge", Message: fmt.Sprintf("the results have more than %d bytes together", params.MaxBytes),
				}
			}
			answer.Results[row][i] = one
		}
	}
	return answer, false, nil
}

func prepare(params *evalParams) ([]rego.PreparedEvalQuery, error) {
	compiler, err := compile(&params.modulesParams)
	if err != nil {
		return nil, err
	}
	data := map[string]any{}
	if len(params.Data) > 0 && string(params.Data) != "null" {
		if err := util.Unmarshal(params.Data, &data); err != nil {
			return nil, &pipe.Problem{Code: "BadParams", Message: fmt.Sprintf("data: %v", err)}
		}
	}
	version, err := versionOf(params.Version)
	if err != nil {
		return nil, err
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false))
	prepared := make([]rego.PreparedEvalQuery, len(params.Queries))
	for i, query := range params.Queries {
		prepared[i], err = rego.New(
			rego.Compiler(compiler), rego.Query(query), rego.Store(store), rego.SetRegoVersion(version),
			rego.StrictBuiltinErrors(params.Strict), rego.UnsafeBuiltins(unsafe), rego.Capabilities(capabilities()),
		).PrepareForEval(context.Background())
		if err != nil {
			problem := explain(err)
			problem.Path, problem.Message = "", fmt.Sprintf("query %q: %s", query, problem.Message)
			return nil, problem
		}
	}
	return prepared, nil
}

func evalOne(query rego.PreparedEvalQuery, input any) evaluated {
	found, err := query.Eval(context.Background(), rego.EvalInput(input))
	if err != nil {
		return evaluated{Error: explain(err)}
	}
	if len(found) == 0 {
		return evaluated{}
	}
	expressions := found[0].Expressions
	value, err := json.Marshal(expressions[len(expressions)-1].Value)
	if err != nil {
		return evaluated{Error: explain(err)}
	}
	return evaluated{Defined: true, Value: value}
}
