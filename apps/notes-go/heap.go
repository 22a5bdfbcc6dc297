package main

import (
	"os"
	"time"
)

// wholeHeap fills blocks of many sizes, with calls to the system between them, and looks whether they are still as they
// were filled.
func wholeHeap() bool {
	var blocks [256][]byte
	fill := func(number, at int) byte { return byte(uint32(number+at) * 2654435761 >> 24) }
	whole := func(number int) bool {
		for at, b := range blocks[number%len(blocks)] {
			if b != fill(number%len(blocks), at) {
				return false
			}
		}
		return true
	}
	state := uint32(7)
	for round := 0; round < 2048; round++ {
		state = state*1664525 + 1013904223
		number := int(state>>8) % len(blocks)
		if !whole(number) {
			return false
		}
		blocks[number] = make([]byte, int(state>>4)%(64+round%16*1024))
		for at := range blocks[number] {
			blocks[number][at] = fill(number, at)
		}
		if round%16 == 0 {
			os.Stat("/")
			_ = time.Now()
		}
	}
	for number := range blocks {
		if !whole(number) {
			return false
		}
	}
	return true
}
