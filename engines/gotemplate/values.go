package main

import (
	"bytes"
	"encoding/json"
	"math"
)

// objectLike reads JSON as Kubernetes' clients read objects: whole numbers stay whole, so that 1000000 is not 1e+06 in a text.
func objectLike(raw json.RawMessage) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var found any
	if err := decoder.Decode(&found); err != nil {
		return nil, err
	}
	return whole(found), nil
}

func whole(value any) any {
	switch value := value.(type) {
	case json.Number:
		if number, err := value.Int64(); err == nil {
			return number
		}
		number, err := value.Float64()
		if err != nil {
			return math.Inf(1)
		}
		return number
	case map[string]any:
		for key, each := range value {
			value[key] = whole(each)
		}
	case []any:
		for i, each := range value {
			value[i] = whole(each)
		}
	}
	return value
}
