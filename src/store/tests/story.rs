use crate::store::testing::store_test;

store_test!(a_fresh_database_has_no_users_and_four_plans, |test| async move {
    let mut tx = test.store.system().await.unwrap();

    assert!(!tx.users_exist().await.unwrap());
    let names: Vec<String> =
        tx.list_plans().await.unwrap().iter().map(|plan| plan.name.to_string()).collect();
    assert_eq!(names, ["enterprise", "free", "pro", "team"]);
});
