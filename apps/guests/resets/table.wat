;; A table has the host's function as it is, where a module without a memory has put it.
(component
  (import "wasi:cli/environment@0.2.12" (instance $environment
    (export "get-arguments" (func (result (list string))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 0x8000))
    (func (export "room") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8)))))
  (core module $fill
    (import "" "ask" (func $ask (param i32)))
    (table (export "table") 1 1 funcref)
    (elem (i32.const 0) func $ask))
  (core module $code
    (type $ask (func (param i32)))
    (import "memory" "memory" (memory 1))
    (import "fill" "table" (table 1 1 funcref))
    (func (export "run") (result i32)
      (call_indirect (type $ask) (i32.const 0x2ffc) (i32.const 0))
      (i32.ne (i32.load offset=4 (i32.const 0x2ffc)) (i32.const 1))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $mem))
  (alias core export $m "room" (core func $room))
  (alias export $environment "get-arguments" (func $get_arguments))
  (core func $get (canon lower (func $get_arguments) (memory $mem) (realloc $room) string-encoding=utf8))
  (core instance $host (export "ask" (func $get)))
  (core instance $f (instantiate $fill (with "" (instance $host))))
  (core instance $i (instantiate $code (with "memory" (instance $m)) (with "fill" (instance $f))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
