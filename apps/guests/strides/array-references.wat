;; One array.fill of references, each of which is counted.
(component
  (core module $m
    (type $pair (struct (field i32)))
    (type $many (array (mut (ref null $pair))))
    (func (export "run") (result i32)
      (local $a (ref null $many))
      (local.set $a (array.new_default $many (i32.const 3900000)))
      (array.fill $many (local.get $a) (i32.const 0) (struct.new $pair (i32.const 1)) (i32.const 3900000))
      (ref.is_null (array.get $many (local.get $a) (i32.const 3899999)))))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.12" (instance $command)))
