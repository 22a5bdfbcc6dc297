// Notes, kept in files on the app's sealed root with package os alone.
//
//	PUT /notes/NAME   keep the body          GET /notes/NAME   give it back       DELETE /notes/NAME   forget it
//	GET /notes        the names              GET /count        how often this was asked (wasi:keyvalue)
//	POST /echo        the body, as it comes  GET /env/NAME     a variable that the operator set
//	GET /fail         a panic: 500, and where it was in the log         GET /heap  whether its memory is its own
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const folder = "/notes"

func answer(outparam uint32, status int, text string) {
	w := respond(outparam, status)
	defer w.Close()
	io.WriteString(w, text)
}

// Write beside and rename, so that a note is never half of one.
func keep(name string, body io.Reader) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	err := write(name, body)
	if err != nil { // also of a body that broke off
		os.Remove(name + "~")
	}
	return err
}

// What is acknowledged is on disk: the content before it has its name, and the name with the next sync of any file.
func write(name string, body io.Reader) error {
	file, err := os.Create(name + "~")
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(file, body); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(name+"~", name); err != nil {
		return err
	}
	return file.Sync()
}

func forget(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := os.Remove(name); err != nil {
		return err
	}
	return file.Sync()
}

// Answer with all that can be read. The client must not take half of it for all, so an error ends the answer.
func pass(outparam uint32, from io.Reader) {
	w := respond(outparam, 200)
	if _, err := io.Copy(w, from); err != nil {
		panic(err)
	}
	w.Close()
}

func note(request, outparam uint32, name string) error {
	switch method(request) {
	case "PUT":
		if err := keep(name, newReader(request)); err != nil {
			return err
		}
		answer(outparam, 200, "kept\n")
	case "DELETE":
		if err := forget(name); err != nil {
			return err
		}
		answer(outparam, 200, "forgotten\n")
	default:
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		pass(outparam, file)
	}
	return nil
}

func names() (string, error) {
	entries, err := os.ReadDir(folder) // sorted by name
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	var text strings.Builder
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), "~") {
			fmt.Fprintln(&text, entry.Name())
		}
	}
	return text.String(), nil
}

func serve(request, outparam uint32) error {
	path, _, _ := strings.Cut(path(request), "?")
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case first == "notes" && rest == "":
		text, err := names()
		if err != nil {
			return err
		}
		answer(outparam, 200, text)
	case first == "notes" && !strings.Contains(rest, "/"):
		return note(request, outparam, folder+"/"+rest)
	case first == "echo" && method(request) == "POST":
		pass(outparam, newReader(request))
	case first == "count":
		count, err := increment("count")
		if err != nil {
			return err
		}
		answer(outparam, 200, fmt.Sprintln(count))
	case first == "env":
		answer(outparam, 200, os.Getenv(rest))
	case first == "heap":
		answer(outparam, 200, map[bool]string{true: "whole\n", false: "changed\n"}[wholeHeap()])
	case first == "fail":
		panic("as it was asked to")
	default:
		answer(outparam, 404, "not here\n")
	}
	return nil
}

//go:wasmexport wasi:http/incoming-handler@0.2.12#handle
func handle(request, outparam uint32) {
	err := serve(request, outparam)
	switch {
	case errors.Is(err, os.ErrNotExist):
		answer(outparam, 404, "no such note\n")
	case err != nil:
		answer(outparam, 500, fmt.Sprintln(err))
	}
}

func main() {} // a library: only handle is called
