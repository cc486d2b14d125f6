package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"
	"sigs.k8s.io/yaml"

	"crypto/sha256"
	"encoding/hex"

	"trueup.dev/engines/pipe"
)

// layer is one entry of a HelmRelease's `valuesFrom`, its reference followed: YAML to merge at the root, or with a
// target path one value, in the grammar of `--set` unless it is literal.
type layer struct {
	Name       string `json:"name"`
	Text       string `json:"text"`
	TargetPath string `json:"targetPath"`
	Literal    bool   `json:"literal"`
	// Secret: the library's words about it may hold a part of it, and are not repeated.
	Secret bool `json:"secret"`
}

type layerParams struct {
	Layers []layer `json:"layers"`
	// Inline are the values of the resource itself: they win over layers without a target path.
	Inline json.RawMessage `json:"inline"`
}

// merged follows Flux: layers at the root one over another, the inline values over them; a layer with a target path changes what
// is there by then, inline values among it. What it changes below the top of these is changed for good, for the maps and lists are
// theirs; a name at the top is theirs again in the end. https://fluxcd.io/flux/components/helm/helmreleases/#values-references
func (p *layerParams) merged() (map[string]any, error) {
	inline := map[string]any{}
	if len(p.Inline) > 0 && string(p.Inline) != "null" {
		if err := json.Unmarshal(p.Inline, &inline); err != nil {
			return nil, &pipe.Problem{Code: "InvalidValues", Message: "spec.values: " + err.Error()}
		}
	}
	result := map[string]any{}
	for i := range p.Layers {
		each := &p.Layers[i]
		if each.TargetPath != "" {
			result = loader.MergeMaps(result, inline)
			if err := setAt(result, each); err != nil {
				return nil, each.problem("is no value for the path "+each.TargetPath, err)
			}
			continue
		}
		values, err := common.ReadValues([]byte(each.Text))
		if err != nil {
			return nil, each.problem("is no YAML mapping", err)
		}
		result = loader.MergeMaps(result, values)
	}
	return loader.MergeMaps(result, inline), nil
}

func (l *layer) problem(what string, err error) error {
	said := fmt.Sprintf("%s %s", l.Name, what)
	if !l.Secret {
		said += ": " + err.Error()
	}
	return &pipe.Problem{Code: "InvalidValues", Message: shortened(said)}
}

// verbatim makes of any text what `--set` reads as that very text; the path before it keeps its own escapes.
var verbatim = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `{`, `\{`)

// setAt takes a value in quotes for a text, as Flux does, and any other as `--set` takes it.
func setAt(values map[string]any, l *layer) error {
	if l.Literal {
		return strvals.ParseIntoString(l.TargetPath+"="+verbatim.Replace(l.Text), values)
	}
	for _, quote := range []string{`"`, `'`} {
		if strings.HasPrefix(l.Text, quote) && strings.HasSuffix(l.Text, quote) {
			return strvals.ParseIntoString(l.TargetPath+"="+strings.Trim(l.Text, `"'`), values)
		}
	}
	return strvals.ParseInto(l.TargetPath+"="+l.Text, values)
}

// values says what digest the merged values have; the values themselves stay here.
func values(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params layerParams
	if err := json.Unmarshal(raw, &params); err != nil {
		return nil, false, err
	}
	all, err := params.merged()
	if err != nil {
		return nil, false, err
	}
	digest, err := digestOf(all)
	if err != nil {
		return nil, false, err
	}
	return map[string]string{"digest": digest}, false, nil
}

// digestOf is `configDigest` in the status of a HelmRelease: of the values as YAML with sorted keys.
func digestOf(values map[string]any) (string, error) {
	hash := sha256.New()
	if len(values) > 0 {
		text, err := yaml.Marshal(values)
		if err != nil {
			return "", err
		}
		var ordered yamlv2.MapSlice
		if err := yamlv2.Unmarshal(text, &ordered); err != nil {
			return "", err
		}
		encoder := yamlv2.NewEncoder(hash)
		if err := encoder.Encode(sorted(ordered)); err != nil {
			return "", err
		}
		if err := encoder.Close(); err != nil {
			return "", err
		}
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

func sorted(value any) any {
	switch typed := value.(type) {
	case yamlv2.MapSlice:
		sort.SliceStable(typed, func(i, j int) bool {
			return fmt.Sprint(typed[i].Key) < fmt.Sprint(typed[j].Key)
		})
		for i := range typed {
			typed[i].Value = sorted(typed[i].Value)
		}
	case []any:
		for i := range typed {
			typed[i] = sorted(typed[i])
		}
	}
	return value
}
