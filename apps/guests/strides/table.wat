;; One table.fill of the largest table.
(component
  (core module $m
    (table $t 10000000 funcref)
    (elem declare func $run)
    (func $run (export "run") (result i32)
      (table.fill $t (i32.const 0) (ref.func $run) (i32.const 10000000))
      (ref.is_null (table.get $t (i32.const 9999999)))))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
