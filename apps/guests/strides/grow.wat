;; The memory grows to its end by a page beyond what it has room for, and is copied.
(component
  (core module $m
    (memory 2000)
    (func $run (export "run") (result i32)
      (i32.eq (memory.grow (i32.const 2096)) (i32.const -1))))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
