// Package portal holds the browser application of customers, vendors and
// operators as it was built from web/, in memory, and answers with it over any
// HTTP server. It must never know tenants, routes of the API or fasthttp: which
// portal a host is, its caller says.
package portal
