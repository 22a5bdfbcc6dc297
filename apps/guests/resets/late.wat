;; Its data come when code has run.
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
    (data (i32.const 0x4000) "\07")
    (func $start (i32.store8 (i32.const 0x5000) (i32.const 7)))
    (start $start))
  (core module $last
    (import "memory" "memory" (memory 1))
    (data (i32.const 0x5000) "\00")
    (func (export "run") (result i32) (i32.load8_u (i32.const 0x5000))))
  (core instance $m (instantiate $memory))
  (core instance (instantiate $code (with "memory" (instance $m))))
  (core instance $i (instantiate $last (with "memory" (instance $m))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
