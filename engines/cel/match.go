package main

import (
	"context"
	"encoding/json"
	"errors"

	registration "k8s.io/api/admissionregistration/v1"
	authentication "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"

	"trueup.dev/engines/pipe"
)

// keptMatchers bounds how many webhooks' programs are kept.
const keptMatchers = 256

// matchParams: the match conditions of one webhook, and the request as an AdmissionRequest tells of it. Kind, resource
// and objects are in the version that the webhook wants; the request's own are beside them.
type matchParams struct {
	Conditions    []registration.MatchCondition `json:"conditions"`
	FailurePolicy string                        `json:"failurePolicy"`
	Request       struct {
		Kind            metav1.GroupVersionKind     `json:"kind"`
		RequestKind     metav1.GroupVersionKind     `json:"requestKind"`
		RequestResource metav1.GroupVersionResource `json:"requestResource"`
		SubResource     string                      `json:"subResource"`
		Name            string                      `json:"name"`
		Namespace       string                      `json:"namespace"`
		Operation       admission.Operation         `json:"operation"`
		UserInfo        authentication.UserInfo     `json:"userInfo"`
		Object          *tree                       `json:"object"`
		OldObject       *tree                       `json:"oldObject"`
		DryRun          bool                        `json:"dryRun"`
		Options         json.RawMessage             `json:"options"`
	} `json:"request"`
	Decisions []decided `json:"decisions"`
}

// matched: Unknown are questions of rights that came up; with their decisions the same request is to be asked again.
type matched struct {
	Matches bool    `json:"matches"`
	Failed  string  `json:"failed,omitempty"`
	Error   string  `json:"error,omitempty"`
	Unknown []right `json:"unknown,omitempty"`
}

var matchers = map[string]matchconditions.Matcher{}

// match says whether a webhook wants a request, by its match conditions and, where they fail, its failure policy.
func match(raw json.RawMessage, _ *pipe.Files) (any, bool, error) {
	var params matchParams
	if err := read(raw, &params); err != nil {
		return nil, false, err
	}
	attributes, err := attributesOf(&params)
	if err != nil {
		return nil, false, err
	}
	rights := newRights(params.Decisions)
	result := matcherOf(params.Conditions, params.FailurePolicy).Match(context.Background(), attributes, nil, rights)
	if len(rights.unknown) > 0 {
		return matched{Unknown: rights.unknown}, false, nil
	}
	answer := matched{Matches: result.Matches, Failed: result.FailedConditionName}
	if result.Error != nil {
		answer.Error = result.Error.Error()
	}
	return answer, false, nil
}

func matcherOf(conditions []registration.MatchCondition, policy string) matchconditions.Matcher {
	key, _ := json.Marshal([]any{conditions, policy})
	if known, ok := matchers[string(key)]; ok {
		return known
	}
	expressions := make([]plugincel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		expressions[i] = (*matchconditions.MatchCondition)(&conditions[i])
	}
	failure := registration.FailurePolicyType(policy)
	evaluator := conditionCompiler().CompileCondition(expressions, withAuthorizer, environment.StoredExpressions)
	made := matchconditions.NewMatcher(evaluator, &failure, "webhook", "validate", "")
	if len(matchers) >= keptMatchers {
		clear(matchers)
	}
	matchers[string(key)] = made
	return made
}

func attributesOf(params *matchParams) (*admission.VersionedAttributes, error) {
	request := &params.Request
	options, err := optionsOf(request.Operation, request.Options)
	if err != nil {
		return nil, err
	}
	object, old := objectOf(request.Object), objectOf(request.OldObject)
	who := &user.DefaultInfo{
		Name: request.UserInfo.Username, UID: request.UserInfo.UID, Groups: request.UserInfo.Groups,
		Extra: map[string][]string{},
	}
	for key, values := range request.UserInfo.Extra {
		who.Extra[key] = values
	}
	attributes := &admission.VersionedAttributes{
		Attributes: admission.NewAttributesRecord(
			object, old, schema.GroupVersionKind(request.RequestKind), request.Namespace, request.Name,
			schema.GroupVersionResource(request.RequestResource), request.SubResource, request.Operation, options,
			request.DryRun, who,
		),
		VersionedKind: schema.GroupVersionKind(request.Kind),
	}
	if object != nil {
		attributes.VersionedObject.Set(object)
	}
	if old != nil {
		attributes.VersionedOldObject.Set(old)
	}
	return attributes, nil
}

func objectOf(found *tree) runtime.Object {
	if found == nil || found.Value == nil {
		return nil
	}
	return &unstructured.Unstructured{Object: found.Value}
}

func optionsOf(operation admission.Operation, raw json.RawMessage) (runtime.Object, error) {
	var options runtime.Object
	switch operation {
	case admission.Create:
		options = &metav1.CreateOptions{}
	case admission.Update:
		options = &metav1.UpdateOptions{}
	case admission.Delete:
		options = &metav1.DeleteOptions{}
	case admission.Connect:
		return nil, nil
	default:
		return nil, errors.New("the operation is unknown")
	}
	if len(raw) == 0 || string(raw) == "null" {
		return options, nil
	}
	return options, read(raw, options)
}
