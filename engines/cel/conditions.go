package main

import (
	"encoding/json"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation/field"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	apicel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"trueup.dev/engines/pipe"
)

// withAuthorizer: match conditions of webhooks know the authorizer, and no params.
var withAuthorizer = plugincel.OptionalVariableDeclarations{HasAuthorizer: true}

// Environments take long to make, so they are made when they are first asked for.
var (
	compiler = sync.OnceValue(func() plugincel.Compiler {
		return plugincel.NewCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	})
	conditionCompiler = sync.OnceValue(func() plugincel.ConditionCompiler {
		return plugincel.NewConditionCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	})
)

// conditionsParams: expressions of webhooks, each at its place in their configuration. Stored ones were there before.
type conditionsParams struct {
	Expressions []struct {
		Path       string `json:"path"`
		Expression string `json:"expression"`
		Stored     bool   `json:"stored"`
	} `json:"expressions"`
}

// conditions compiles match conditions and says, for each, what is wrong with it (or nothing).
func conditions(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params conditionsParams
	if err := read(raw, &params); err != nil {
		return nil, false, err
	}
	var errs field.ErrorList
	for _, each := range params.Expressions {
		mode := environment.NewExpressions
		if each.Stored {
			mode = environment.StoredExpressions
		}
		condition := &matchconditions.MatchCondition{Expression: each.Expression}
		result := compiler().CompileCELExpression(condition, withAuthorizer, mode)
		if result.Error == nil {
			continue
		}
		path := field.NewPath(each.Path)
		if result.Error.Type == apicel.ErrorTypeInvalid {
			errs = append(errs, field.Invalid(path, each.Expression, result.Error.Detail))
		} else {
			errs = append(errs, field.InternalError(path, result.Error))
		}
	}
	return told(errs), false, nil
}
