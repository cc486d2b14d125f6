// protosamples says how Go writes Kubernetes objects in protobuf, for the tests of the embedded Kubernetes' reader.
//
//	protosamples samples   every kind of the typed clients, with every field filled, and with every pointer at a zero value
//	protosamples encode    JSON objects on standard input, one a line, as the typed structs would send them
//
// Both write lines of JSON: {"kind", "apiVersion", "variant", "json", "protobuf"}; protobuf is base64 with Kubernetes' envelope.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

const maxDepth = 14

type line struct {
	Kind       string          `json:"kind"`
	APIVersion string          `json:"apiVersion"`
	Variant    string          `json:"variant,omitempty"`
	JSON       json.RawMessage `json:"json"`
	Protobuf   []byte          `json:"protobuf"`
}

var moment = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

func main() {
	known := scheme.Scheme
	must(apiextensions.AddToScheme(known))
	must(apiregistration.AddToScheme(known))
	out := json.NewEncoder(os.Stdout)
	switch {
	case len(os.Args) == 2 && os.Args[1] == "samples":
		samples(known, out)
	case len(os.Args) == 2 && os.Args[1] == "encode":
		encodeLines(known, out)
	default:
		fmt.Fprintln(os.Stderr, "usage: protosamples samples|encode")
		os.Exit(2)
	}
}

// samples writes two objects of every kind that has a protobuf form in a stable version.
func samples(known *runtime.Scheme, out *json.Encoder) {
	var kinds []schema.GroupVersionKind
	for kind := range known.AllKnownTypes() {
		// Options are known in every group; lists are never sent.
		isOptions := strings.HasSuffix(kind.Kind, "Options") && kind.Group != ""
		if kind.Version == "v1" || kind.Version == "v2" {
			if !isOptions && !strings.HasSuffix(kind.Kind, "List") && kind.Kind != "WatchEvent" {
				kinds = append(kinds, kind)
			}
		}
	}
	sort.Slice(kinds, func(i, j int) bool { return kinds[i].String() < kinds[j].String() })
	for _, kind := range kinds {
		for _, variant := range []string{"filled", "zeros"} {
			object, err := known.New(kind)
			must(err)
			if _, ok := object.(interface{ MarshalTo([]byte) (int, error) }); !ok {
				continue
			}
			fill(reflect.ValueOf(object).Elem(), 0, variant == "filled")
			write(out, object, kind, variant)
		}
	}
}

func encodeLines(known *runtime.Scheme, out *json.Encoder) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var meta metav1.TypeMeta
		must(json.Unmarshal(lines.Bytes(), &meta))
		kind := meta.GroupVersionKind()
		object, err := known.New(kind)
		must(err)
		must(json.Unmarshal(lines.Bytes(), object))
		write(out, object, kind, "")
	}
	must(lines.Err())
}

func write(out *json.Encoder, object runtime.Object, kind schema.GroupVersionKind, variant string) {
	object.GetObjectKind().SetGroupVersionKind(kind)
	text, err := json.Marshal(object)
	must(err)
	var raw bytes.Buffer
	must(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(object, &raw))
	apiVersion := kind.GroupVersion().String()
	must(out.Encode(line{kind.Kind, apiVersion, variant, text, raw.Bytes()}))
}

// fill gives every field a value: something of its own, or with pointers at zero values and nothing else.
func fill(value reflect.Value, depth int, full bool) {
	if special(value, depth, full) {
		return
	}
	switch value.Kind() {
	case reflect.Struct:
		for i := 0; i < value.NumField(); i++ {
			if value.Type().Field(i).IsExported() && value.Type().Field(i).Name != "TypeMeta" {
				fill(value.Field(i), depth+1, full)
			}
		}
	case reflect.Pointer:
		if depth > maxDepth {
			return
		}
		value.Set(reflect.New(value.Type().Elem()))
		fill(value.Elem(), depth+1, full)
	case reflect.Slice:
		if !full || depth > maxDepth {
			return
		}
		if value.Type().Elem().Kind() == reflect.Uint8 {
			value.SetBytes([]byte{0, 255, byte(depth)})
			return
		}
		value.Set(reflect.MakeSlice(value.Type(), 2, 2))
		fill(value.Index(0), depth+1, full) // the second one stays empty
		switch value.Type().Elem().Kind() {
		case reflect.String:
			value.Index(1).SetString("ü")
		}
	case reflect.Map:
		if !full || depth > maxDepth {
			return
		}
		value.Set(reflect.MakeMap(value.Type()))
		for _, name := range []string{"key", "empty"} {
			key := reflect.New(value.Type().Key()).Elem()
			key.SetString(name)
			item := reflect.New(value.Type().Elem()).Elem()
			if name == "key" {
				fill(item, depth+1, full)
			}
			value.SetMapIndex(key, item)
		}
	case reflect.String:
		if full {
			value.SetString(fmt.Sprintf("text %d", depth))
		}
	case reflect.Bool:
		value.SetBool(full)
	case reflect.Int, reflect.Int32, reflect.Int64:
		if full {
			value.SetInt(int64(-7 * (depth + 1)))
		}
	case reflect.Uint32, reflect.Uint64, reflect.Uint8:
		if full {
			value.SetUint(uint64(depth + 1))
		}
	case reflect.Float64:
		if full {
			value.SetFloat(float64(depth) + 0.25)
		}
	}
}

// special fills types whose JSON is not that of their fields.
func special(value reflect.Value, depth int, full bool) bool {
	switch found := value.Addr().Interface().(type) {
	case *metav1.Time:
		if full {
			found.Time = moment.Truncate(time.Second)
		}
	case *metav1.MicroTime:
		if full {
			found.Time = moment
		}
	case *metav1.Duration:
		if full {
			found.Duration = 90*time.Minute + 1500*time.Millisecond
		}
	case *resource.Quantity:
		if full {
			*found = resource.MustParse("1500m")
		}
	case *intstr.IntOrString:
		if full && depth%2 == 0 {
			*found = intstr.FromString("25%")
		} else if full {
			*found = intstr.FromInt32(8080)
		}
	case *runtime.RawExtension:
		if full {
			found.Raw = []byte(`{"apiVersion":"v1","kind":"Thing","n":1.5}`)
		}
	case *metav1.FieldsV1:
		found.Raw = []byte(`{"f:metadata":{}}`)
	case *apiextensions.JSON:
		found.Raw = []byte(`["x",{"y":null}]`)
	case *apiextensions.JSONSchemaPropsOrBool:
		found.Allows = full
		if full && depth < 8 {
			found.Schema = &apiextensions.JSONSchemaProps{Type: "string"}
		}
	case *apiextensions.JSONSchemaPropsOrArray:
		found.Schema = &apiextensions.JSONSchemaProps{Type: "integer"}
	case *apiextensions.JSONSchemaPropsOrStringArray:
		found.Property = []string{"a", "b"}
	case *apiextensions.JSONSchemaProps:
		if depth <= 8 {
			return false
		}
		found.Type = "object"
	default:
		return false
	}
	return true
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "protosamples:", err)
		os.Exit(1)
	}
}
