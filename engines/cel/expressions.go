package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"trueup.dev/engines/pipe"
)

const (
	// costLimit bounds one expression, in the library's units: what Kubernetes allows one of its rules.
	costLimit = 1_000_000
	// checkEvery is how many loop steps pass between two looks at whether the request was given up.
	checkEvery = 100
	// keptPrograms bounds how many expressions' programs are kept.
	keptPrograms = 1024
	// keptEnvironments bounds how many sets of variables are.
	keptEnvironments = 32
)

// evaluateParams: expressions over variables of any type. Nothing of Kubernetes but its objects: the library's standard
// functions, optional values, and the extensions that people know from Kubernetes and Flux.
type evaluateParams struct {
	Expressions []string                   `json:"expressions"`
	Variables   map[string]json.RawMessage `json:"variables"`
}

// evaluated is the value of one expression, or what is wrong with it. Compiles tells the two kinds of failure apart.
type evaluated struct {
	Value    json.RawMessage `json:"value,omitempty"`
	Error    string          `json:"error,omitempty"`
	Compiles bool            `json:"compiles"`
}

type values struct {
	Values []evaluated `json:"values"`
}

var (
	programs     = map[string]celgo.Program{}
	environments = map[string]*celgo.Env{}
)

// evaluate gives the value of each expression. One that fails does not keep the others from their values.
func evaluate(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params evaluateParams
	if err := read(raw, &params); err != nil {
		return nil, false, err
	}
	names := make([]string, 0, len(params.Variables))
	variables := make(map[string]any, len(params.Variables))
	for name, value := range params.Variables {
		var parsed any
		if err := utiljson.Unmarshal(value, &parsed); err != nil {
			return nil, false, &pipe.Problem{Code: "BadParams", Message: fmt.Sprintf("variable %s: %v", name, err)}
		}
		names = append(names, name)
		variables[name] = parsed
	}
	slices.Sort(names)
	answer := values{Values: make([]evaluated, len(params.Expressions))}
	for i, expression := range params.Expressions {
		answer.Values[i] = evaluateOne(expression, names, variables)
	}
	return answer, false, nil
}

func evaluateOne(expression string, names []string, variables map[string]any) evaluated {
	program, err := programOf(expression, names)
	if err != nil {
		return evaluated{Error: err.Error()}
	}
	value, _, err := program.ContextEval(context.Background(), variables)
	if err != nil {
		return evaluated{Error: err.Error(), Compiles: true}
	}
	native, err := nativeOf(value)
	if err != nil {
		return evaluated{Error: err.Error(), Compiles: true}
	}
	return evaluated{Value: native, Compiles: true}
}

func programOf(expression string, names []string) (celgo.Program, error) {
	variables := strings.Join(names, ",")
	key := variables + "\x00" + expression
	if known, ok := programs[key]; ok {
		return known, nil
	}
	env, err := environmentOf(variables, names)
	if err != nil {
		return nil, err
	}
	tree, issues := env.Compile(expression)
	if issues != nil && issues.Err() != nil {
		return nil, issues.Err()
	}
	program, err := env.Program(
		tree, celgo.EvalOptions(celgo.OptOptimize), celgo.CostLimit(costLimit), celgo.InterruptCheckFrequency(checkEvery),
	)
	if err != nil {
		return nil, err
	}
	if len(programs) >= keptPrograms {
		clear(programs)
	}
	programs[key] = program
	return program, nil
}

// environmentOf makes an environment once for each set of variables: it is by far the largest part of a program.
func environmentOf(key string, names []string) (*celgo.Env, error) {
	if known, ok := environments[key]; ok {
		return known, nil
	}
	options := []celgo.EnvOption{
		celgo.HomogeneousAggregateLiterals(), celgo.EagerlyValidateDeclarations(true), celgo.DefaultUTCTimeZone(true),
		celgo.CrossTypeNumericComparisons(true), celgo.OptionalTypes(),
		celgo.ASTValidators(
			celgo.ValidateDurationLiterals(), celgo.ValidateTimestampLiterals(), celgo.ValidateRegexLiterals(),
			celgo.ValidateHomogeneousAggregateLiterals(),
		),
		ext.Strings(), ext.Sets(), ext.Encoders(), ext.Lists(), ext.Math(), ext.Bindings(), ext.TwoVarComprehensions(),
	}
	for _, name := range names {
		options = append(options, celgo.Variable(name, celgo.DynType))
	}
	made, err := celgo.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	if len(environments) >= keptEnvironments {
		clear(environments)
		clear(programs)
	}
	environments[key] = made
	return made, nil
}

// nativeOf is a value as JSON. The library's own conversion does it; what has no JSON is an error.
func nativeOf(value ref.Val) (json.RawMessage, error) {
	if types.IsUnknownOrError(value) {
		return nil, fmt.Errorf("%v", value)
	}
	if whole, ok := value.(types.Int); ok {
		return json.Marshal(int64(whole)) // the conversion makes a string of a large one
	}
	converted, err := value.ConvertToNative(reflect.TypeFor[*structpb.Value]())
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(converted.(*structpb.Value))
}
