"""Single sign-on: OpenID Connect, and OAuth2 with GitHub and GitLab. What a provider says of a person becomes an `Identity`."""
