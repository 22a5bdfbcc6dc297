;; One array.fill of as many elements as an instance may have collected.
(component
  (core module $m
    (type $bytes (array (mut i8)))
    (func (export "run") (result i32)
      (local $a (ref null $bytes))
      (local.set $a (array.new_default $bytes (i32.const 15728640)))
      (array.fill $bytes (local.get $a) (i32.const 0) (i32.const 7) (i32.const 15728640))
      (i32.ne (array.get_u $bytes (local.get $a) (i32.const 15728639)) (i32.const 7))))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
