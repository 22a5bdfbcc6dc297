;; The host would call itself, with the guest's result as the place for its answer. Such a call fails.
(component
  (import "wasi:cli/environment@0.2.12" (instance $environment
    (export "get-arguments" (func (result (list string))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 0x8000))
    (func (export "room") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8)))))
  (core module $code
    (import "memory" "memory" (memory 1))
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $mem))
  (alias core export $m "room" (core func $room))
  (alias export $environment "get-arguments" (func $get_arguments))
  (core func $get (canon lower (func $get_arguments) (memory $mem) (realloc $room) string-encoding=utf8))
  (core instance $i (instantiate $code (with "memory" (instance $m))))
  (func $run (result (result)) (canon lift (core func $i "run") (post-return $get)))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
