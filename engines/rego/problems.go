package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"trueup.dev/engines/pipe"
)

const (
	// longestMessage bounds what is said of a policy that is wrong.
	longestMessage = 2000
	// mostErrors is how many errors are told.
	mostErrors = 10
)

// explain says what the library said, at the places in the policies.
func explain(err error) *pipe.Problem {
	problem := &pipe.Problem{Code: "Failed"}
	var several ast.Errors
	var one *ast.Error
	var running *topdown.Error
	switch {
	case errors.As(err, &several) && len(several) > 0:
		said := make([]string, 0, mostErrors)
		for index, each := range several {
			if index == mostErrors {
				said = append(said, fmt.Sprintf("and %d more", len(several)-mostErrors))
				break
			}
			said = append(said, fmt.Sprintf("%s: %s", each.Code, each.Message))
			appendPlace(problem, each.Location)
		}
		problem.Message = strings.Join(said, "; ")
	case errors.As(err, &one):
		problem.Message = fmt.Sprintf("%s: %s", one.Code, one.Message)
		appendPlace(problem, one.Location)
	case errors.As(err, &running):
		problem.Message = fmt.Sprintf("%s: %s", running.Code, running.Message)
		appendPlace(problem, running.Location)
	default:
		problem.Message = err.Error()
	}
	if len(problem.Message) > longestMessage {
		problem.Message = strings.ToValidUTF8(problem.Message[:longestMessage], "") + "…"
	}
	if strings.Contains(problem.Message, "unsafe built-in function") {
		problem.Hint = "policies reach no network and no process: bring what they need as data or input"
	}
	return problem
}

func appendPlace(problem *pipe.Problem, at *ast.Location) {
	if at == nil || at.File == "" {
		return
	}
	if problem.Path == "" {
		problem.Path, problem.Line, problem.Column = at.File, at.Row, at.Col
		return
	}
	problem.Places = append(problem.Places, pipe.Place{Path: at.File, Line: at.Row, Column: at.Col})
}
