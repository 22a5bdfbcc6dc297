;; It has two memories.
(component
  (import "wasi:cli/environment@0.2.12" (instance $environment
    (export "get-arguments" (func (result (list string))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 0x8000))
    (func (export "room") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8)))))
  (core module $other
    (memory 1)
    (func (export "run") (result i32) (i32.store8 (i32.const 7) (i32.const 7)) (i32.const 0)))
  (core instance $m (instantiate $memory))
  (core instance $i (instantiate $other))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
