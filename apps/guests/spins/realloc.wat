;; It computes without end where a host function asks it for room for its answer.
(component
  (import "wasi:cli/environment@0.2.12" (instance $environment
    (export "get-arguments" (func (result (list string))))))
  (core module $room
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (loop $again (br $again)) (i32.const 0)))
  (core instance $room (instantiate $room))
  (core func $arguments (canon lower (func $environment "get-arguments")
    (memory (core memory $room "memory")) (realloc (core func $room "realloc"))))
  (core module $m
    (import "environment" "get-arguments" (func $arguments (param i32)))
    (func (export "run") (result i32) (call $arguments (i32.const 0)) (i32.const 0)))
  (core instance $host (export "get-arguments" (func $arguments)))
  (core instance $i (instantiate $m (with "environment" (instance $host))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
