;; A command that computes without end.
(component
  (core module $m
    (func (export "run") (result i32) (loop $again (br $again)) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
