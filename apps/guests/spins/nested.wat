;; Without a loop: each call makes two more, 200 deep.
(component
  (core module $m
    (func $call (param i32)
      (if (local.get 0)
        (then
          (call $call (i32.sub (local.get 0) (i32.const 1)))
          (call $call (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "run") (result i32) (call $call (i32.const 200)) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
