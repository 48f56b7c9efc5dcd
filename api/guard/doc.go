// Package guard stands between the socket and fasthttp, and refuses requests
// that two HTTP parsers could read in two ways.
//
// It knows RFC 9112 and the limits of the root package, and imports nothing
// else, so that its fuzz targets build in seconds. It must never know what a
// request asks for.
package guard
