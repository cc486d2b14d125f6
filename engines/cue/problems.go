package main

import (
	"fmt"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/load"
	"cuelang.org/go/cue/token"

	"trueup.dev/engines/pipe"
)

const (
	// longestMessage bounds what is said of a value that is wrong.
	longestMessage = 2000
	// mostErrors is how many errors are told, mostPlaces how many places of each.
	mostErrors = 10
	mostPlaces = 20
)

// explain says what the library said, at the places in the Snapshot.
func explain(err error) *pipe.Problem {
	if problem := (*pipe.Problem)(nil); errors.As(err, &problem) {
		return problem
	}
	problem := &pipe.Problem{Code: "Failed"}
	var said []string
	all := errors.Errors(errors.Sanitize(errors.Promote(err, "")))
	for index, each := range all {
		if index == mostErrors {
			said = append(said, fmt.Sprintf("and %d more", len(all)-mostErrors))
			break
		}
		said = append(said, message(each))
		for _, position := range errors.Positions(each) {
			if at := place(position); at.Path != "" && len(problem.Places) < mostPlaces {
				problem.Places = append(problem.Places, at)
			}
		}
	}
	if len(problem.Places) > 0 {
		first := problem.Places[0]
		problem.Path, problem.Line, problem.Column = first.Path, first.Line, first.Column
		problem.Places = problem.Places[1:]
	}
	problem.Message = shortened(strings.Join(said, "; "))
	if several := (*load.MultiplePackageError)(nil); errors.As(err, &several) {
		problem.Hint = "name the package that is meant"
	}
	return problem
}

func explainExpression(err error, text string) *pipe.Problem {
	problem := explain(err)
	problem.Message = fmt.Sprintf("expression %q: %s", text, problem.Message)
	return problem
}

// message is one error with the path of the field in it, as the command prints it, but for the places.
func message(err errors.Error) string {
	format, arguments := err.Msg()
	said := fmt.Sprintf(format, arguments...)
	if field := strings.Join(err.Path(), "."); field != "" {
		said = field + ": " + said
	}
	if inner := errors.Unwrap(err); inner != nil {
		if more := inner.Error(); !strings.Contains(said, more) {
			said = strings.TrimSuffix(said, ": ") + ": " + more
		}
	}
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(said, ": "), root+"/", ""), root, ".")
}

// place is a position in the Snapshot; empty for one that is elsewhere.
func place(position token.Pos) pipe.Place {
	if !position.IsValid() {
		return pipe.Place{}
	}
	at := position.Position()
	relative, inside := strings.CutPrefix(at.Filename, root+"/")
	if !inside {
		return pipe.Place{}
	}
	return pipe.Place{Path: relative, Line: at.Line, Column: at.Column}
}

func fileAttributes(file *ast.File) []*ast.Attribute {
	var found []*ast.Attribute
	for _, declaration := range file.Decls {
		if attribute, ok := declaration.(*ast.Attribute); ok {
			found = append(found, attribute)
		}
	}
	return found
}

func shortened(text string) string {
	if len(text) <= longestMessage {
		return text
	}
	return strings.ToValidUTF8(text[:longestMessage], "") + "…"
}
