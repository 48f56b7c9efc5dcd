package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// origins says of a key of `server` where its value came from: "set by" a
// variable or "set in" a file.
type origins map[string]string

// explain adds to an error about a flag where the flag's value came from.
func (o origins) explain(err error) error {
	if err == nil {
		return nil
	}
	name, isFlag := strings.CutPrefix(err.Error(), "--")
	if end := strings.IndexAny(name, " :"); isFlag && end > 0 {
		if from := o[flagKey(name[:end])]; from != "" {
			return usagef("%w (%s)", err, from)
		}
	}
	return err
}

// quoted is the origins of the keys that a message has in quotes.
func (o origins) quoted(message string) string {
	var from []string
	for key, origin := range o {
		if strings.Contains(message, "'"+key+"'") {
			from = append(from, key+" is "+origin)
		}
	}
	if len(from) == 0 {
		return ""
	}
	slices.Sort(from)
	return " (" + strings.Join(from, ", ") + ")"
}

// otherVariables begin like the server's and belong to other commands, or to
// the fault harness.
var otherVariables = []string{adminURLEnv, adminTokenEnv, leaseIDEnv, envPrefix + "PLANT"}

// serviceVariable is what Kubernetes sets in every container for a service
// whose name begins with "cloudlicenses".
var serviceVariable = regexp.MustCompile(`^` + envPrefix +
	`(.+_)?(SERVICE_HOST=|SERVICE_PORT(_.+)?=|PORT=(tcp|udp)://|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?=)`)

// serverVariables returns the variables of environ that name keys. One that is
// nearly a key is an error, as in the file; one that is nothing like it is a
// remark for the log.
func serverVariables(environ []string, keys map[string]bool) (own, remarks []string, err error) {
	names := slices.Clone(otherVariables)
	for key := range keys {
		names = append(names, envPrefix+strings.ToUpper(key))
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		key, prefixed := strings.CutPrefix(name, envPrefix)
		switch {
		case !prefixed, slices.Contains(otherVariables, name), serviceVariable.MatchString(variable):
		case key == "ADMIN" && isURL(value):
			remarks = append(remarks, fmt.Sprintf("%s=%s is passed over: it takes the address to listen on, host:port; the URL that operators' commands ask is %s", name, value, adminURLEnv))
		case slices.Contains(names, name):
			own = append(own, variable)
		default:
			if near := nearestVariable(key, names); near != "" {
				return nil, nil, fmt.Errorf("unknown variable %s; did you mean %s?", name, near)
			}
			remarks = append(remarks, fmt.Sprintf("the variable %s is passed over: it names no key of the server", name))
		}
	}
	return own, remarks, nil
}

// nearestVariable is nearest for the part of a variable after the prefix that
// all have in common.
func nearestVariable(key string, names []string) string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = strings.TrimPrefix(name, envPrefix)
	}
	if near := nearest(key, keys); near != "" {
		return envPrefix + near
	}
	return ""
}

func isURL(value string) bool {
	return strings.HasPrefix(value, "http://") || strings.HasPrefix(value, "https://")
}
