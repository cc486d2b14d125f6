package main

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/gosimple/slug"
	"sigs.k8s.io/yaml"

	"trueup.dev/engines/pipe"
)

// The sets of functions that templates may call.
const (
	// plain: those of text/template itself.
	plain = ""
	// withSprig: Sprig besides, as notifications have it.
	withSprig = "sprig"
	// applicationSet: Sprig and what Argo CD adds for ApplicationSets.
	applicationSet = "applicationset"
)

// withheld would tell of this process or reach for the network.
var withheld = []string{"env", "expandenv", "getHostByName"}

var sprigFunctions = sync.OnceValue(func() template.FuncMap {
	functions := sprig.TxtFuncMap()
	for _, name := range withheld {
		delete(functions, name)
	}
	return functions
})

func functionsOf(set string) (template.FuncMap, error) {
	switch set {
	case plain:
		return template.FuncMap{}, nil
	case withSprig:
		return sprigFunctions(), nil
	case applicationSet:
		functions := maps.Clone(sprigFunctions())
		maps.Copy(functions, template.FuncMap{
			"normalize": normalize, "slugify": slugify, "toYaml": toYAML, "fromYaml": fromYAML, "fromYamlArray": fromYAMLArray,
		})
		return functions, nil
	}
	return nil, &pipe.Problem{Code: "BadParams", Message: fmt.Sprintf("there is no set of functions %q", set)}
}

const longestName = 253

var notInNames = regexp.MustCompile(`[^-a-z0-9.]`)

// normalize makes a DNS name of any text.
func normalize(name string) string {
	name = notInNames.ReplaceAllString(strings.ToLower(name), "-")
	if len(name) > longestName {
		name = name[:longestName]
	}
	return strings.Trim(name, "-.")
}

// slugify makes a short name of any text: `slugify [length [smart]] name`. Smart ones end at a word.
func slugify(arguments ...any) (string, error) {
	length, smart := 50, false
	if len(arguments) == 0 || len(arguments) > 3 {
		return "", fmt.Errorf("slugify: wants [length [smart]] name, got %d arguments", len(arguments))
	}
	name, ok := arguments[len(arguments)-1].(string)
	if !ok {
		return "", fmt.Errorf("slugify: the name must be a text, got %v", arguments[len(arguments)-1])
	}
	if len(arguments) > 1 {
		if length, ok = arguments[0].(int); !ok {
			return "", fmt.Errorf("slugify: the length must be a whole number, got %v", arguments[0])
		}
	}
	if len(arguments) > 2 {
		if smart, ok = arguments[1].(bool); !ok {
			return "", fmt.Errorf("slugify: smart must be true or false, got %v", arguments[1])
		}
	}
	slug.MaxLength, slug.EnableSmartTruncate = length, smart // one request at a time
	return slug.Make(normalize(name)), nil
}

func toYAML(value any) (string, error) {
	text, err := yaml.Marshal(value)
	return strings.TrimSuffix(string(text), "\n"), err
}

func fromYAML(text string) (map[string]any, error) {
	found := map[string]any{}
	return found, yaml.Unmarshal([]byte(text), &found)
}

func fromYAMLArray(text string) ([]any, error) {
	found := []any{}
	return found, yaml.Unmarshal([]byte(text), &found)
}

// deepest is how many tpl may stand in one another.
const deepest = 100

var errTooDeep = fmt.Errorf("tpl: more than %d in one another", deepest)

// templateFunction is `tpl`: a text filled in as a template with the same functions and options.
func templateFunction(outer *template.Template) func(string, any) (string, error) {
	depth := 0
	return func(text string, values any) (string, error) {
		if depth++; depth > deepest {
			depth--
			return "", errTooDeep
		}
		defer func() { depth-- }()
		inner, err := outer.Clone()
		if err != nil {
			return "", err
		}
		if inner, err = inner.New(outer.Name()).Parse(text); err != nil {
			return "", fmt.Errorf("tpl: %w", err)
		}
		var filled strings.Builder
		if err := inner.Execute(&filled, values); err != nil {
			return "", fmt.Errorf("tpl: %w", err)
		}
		return strings.ReplaceAll(filled.String(), "<no value>", ""), nil
	}
}
