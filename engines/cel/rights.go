package main

import (
	"context"

	authentication "k8s.io/api/authentication/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"trueup.dev/engines/pipe"
)

// right is what somebody may or may not do, as an expression asks for it.
type right struct {
	User        authentication.UserInfo `json:"user"`
	Verb        string                  `json:"verb"`
	Group       string                  `json:"group,omitempty"`
	Resource    string                  `json:"resource,omitempty"`
	Subresource string                  `json:"subresource,omitempty"`
	Namespace   string                  `json:"namespace,omitempty"`
	Name        string                  `json:"name,omitempty"`
	Path        string                  `json:"path,omitempty"`
}

// decided is a right and the caller's decision about it.
type decided struct {
	Right   right  `json:"right"`
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
}

// rights answers what is decided, and notes what is not: the engine itself knows nobody's rights.
type rights struct {
	known   []decided
	unknown []right
}

func newRights(known []decided) *rights { return &rights{known: known} }

func (r *rights) Authorize(_ context.Context, asked authorizer.Attributes) (authorizer.Decision, string, error) {
	who := asked.GetUser()
	wanted := right{
		User: authentication.UserInfo{Username: who.GetName(), UID: who.GetUID(), Groups: who.GetGroups()},
		Verb: asked.GetVerb(), Group: asked.GetAPIGroup(), Resource: asked.GetResource(),
		Subresource: asked.GetSubresource(), Namespace: asked.GetNamespace(), Name: asked.GetName(), Path: asked.GetPath(),
	}
	for _, each := range r.known {
		if same(&each.Right, &wanted) {
			if each.Allowed {
				return authorizer.DecisionAllow, each.Reason, nil
			}
			return authorizer.DecisionNoOpinion, each.Reason, nil
		}
	}
	r.unknown = append(r.unknown, wanted)
	return authorizer.DecisionNoOpinion, "", &pipe.Problem{Code: "Undecided", Message: "not decided yet"}
}

func same(one, other *right) bool {
	return one.User.Username == other.User.Username && one.Verb == other.Verb && one.Group == other.Group &&
		one.Resource == other.Resource && one.Subresource == other.Subresource && one.Namespace == other.Namespace &&
		one.Name == other.Name && one.Path == other.Path
}
