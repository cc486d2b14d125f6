"""Who answers for a Service or Ingress: EndpointSlices, Endpoints, and addresses of load balancers."""
