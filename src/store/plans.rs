//! Plans: instance-wide settings of what an account may use.

use crate::{
    model::{Plan, PlanName},
    store::{Result, SystemTx},
};

impl SystemTx {
    /// Returns the plans by name.
    pub async fn list_plans(&mut self) -> Result<Vec<Plan>> {
        todo!()
    }

    /// Finds a plan.
    pub async fn find_plan(&mut self, name: &PlanName) -> Result<Option<Plan>> {
        let _ = name;
        todo!()
    }

    /// Adds a plan, or replaces the one of that name.
    pub async fn save_plan(&mut self, plan: &Plan) -> Result<()> {
        let _ = plan;
        todo!()
    }
}
