package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// longestMessage bounds what is said of a template that is wrong.
const longestMessage = 2000

// place is how the library begins its errors: `template: NAME:LINE[:COLUMN]: `.
var place = regexp.MustCompile(`^template: [^\n]*?:(\d+)(?::(\d+))?: `)

func failure(err error) executed {
	message := err.Error()
	found := executed{}
	if at := place.FindStringSubmatchIndex(message); at != nil {
		found.Line, _ = strconv.Atoi(message[at[2]:at[3]])
		if at[4] >= 0 {
			found.Column, _ = strconv.Atoi(message[at[4]:at[5]])
		}
		message = message[at[1]:]
	}
	if errors.Is(err, errTooDeep) { // said once, not at every depth
		message = errTooDeep.Error()
	}
	found.Error = shortened(message)
	return found
}

func shortened(message string) string {
	if len(message) > longestMessage {
		return strings.ToValidUTF8(message[:longestMessage], "") + "…"
	}
	return message
}
